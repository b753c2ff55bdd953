"""The published networks that phones were measured with: their layers, as their papers have them.

Each is at the size of picture that Qualcomm measured it at. ``PARAMETERS`` is what Qualcomm states; a test compares it
with the layers'.
"""

from collections.abc import Callable
from functools import cache

from pocketlens.phones.builder import Builder
from pocketlens.phones.layers import Costs, total

_IMAGENET = (3, 224, 224)


def _classes(net: Builder, hidden: int = 0) -> Builder:
    net.pool(0)
    return (net.dense(hidden) if hidden else net).dense(1000)


def resnet(blocks: tuple[int, ...], bottleneck: bool, width: int = 64) -> Builder:
    """He and others: Deep Residual Learning for Image Recognition, 2015; wide: Zagoruyko and Komodakis, 2016."""
    net = Builder(*_IMAGENET).conv(64, 7, 2).pool()
    for stage, count in enumerate(blocks):
        thin, wide = width << stage, 64 << stage
        out = wide * 4 if bottleneck else wide
        for i in range(count):
            before, stride = net.shape, 2 if stage and not i else 1
            if bottleneck:
                net.conv(thin, 1).conv(thin, 3, stride).conv(out, 1)
            else:
                net.conv(out, 3, stride).conv(out, 3)
            if before[0] != out:
                net.back_to(*before).conv(out, 1, stride)
            net.merge()
    return _classes(net)


def mobilenet_v2() -> Builder:
    """Sandler and others: MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018."""
    net = Builder(*_IMAGENET).conv(32, 3, 2)
    for expansion, channels, count, first in (
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
    ):  # fmt: skip
        for i in range(count):
            _inverted(net, net.channels * expansion, channels, 3, 1 if i else first)
    return _classes(net.conv(1280, 1))


def mnasnet05() -> Builder:
    """Tan and others: MnasNet: Platform-Aware Neural Architecture Search for Mobile, 2018; half as wide."""
    net = Builder(*_IMAGENET).conv(16, 3, 2).by_channel().conv(8, 1)
    for expansion, channels, count, first, kernel in (
        (3, 16, 3, 2, 3), (3, 24, 3, 2, 5), (6, 40, 3, 2, 5), (6, 48, 2, 1, 3), (6, 96, 4, 2, 5), (6, 160, 1, 1, 3),
    ):  # fmt: skip
        for i in range(count):
            _inverted(net, net.channels * expansion, channels, kernel, 1 if i else first)
    return _classes(net.conv(1280, 1))


def mobilenet_v3_large() -> Builder:
    """Howard and others: Searching for MobileNetV3, 2019."""
    net = Builder(*_IMAGENET).conv(16, 3, 2)
    for kernel, hidden, channels, squeeze, stride in (
        (3, 16, 16, 0, 1), (3, 64, 24, 0, 2), (3, 72, 24, 0, 1), (5, 72, 40, 24, 2), (5, 120, 40, 32, 1),
        (5, 120, 40, 32, 1), (3, 240, 80, 0, 2), (3, 200, 80, 0, 1), (3, 184, 80, 0, 1), (3, 184, 80, 0, 1),
        (3, 480, 112, 120, 1), (3, 672, 112, 168, 1), (5, 672, 160, 168, 2), (5, 960, 160, 240, 1),
        (5, 960, 160, 240, 1),
    ):  # fmt: skip
        _inverted(net, hidden, channels, kernel, stride, squeeze)
    return _classes(net.conv(960, 1), 1280)


def _inverted(net: Builder, hidden: int, channels: int, kernel: int, stride: int, squeeze: int = 0) -> None:
    before = net.shape
    if hidden != net.channels:
        net.conv(hidden, 1)
    net.by_channel(kernel, stride)
    if squeeze:
        inner = net.shape
        net.pool(0).dense(squeeze).dense(hidden).back_to(*inner).merge(1, "Mul")
    net.conv(channels, 1)
    if net.shape == before:
        net.merge()


def squeezenet1_1() -> Builder:
    """Iandola and others: SqueezeNet, 2016, version 1.1."""
    net = Builder(*_IMAGENET).conv(64, 3, 2).pool()
    for squeeze, wide, pools in (
        (16, 64, False), (16, 64, True), (32, 128, False), (32, 128, True), (48, 192, False), (48, 192, False),
        (64, 256, False), (64, 256, False),
    ):  # fmt: skip
        thin = net.conv(squeeze, 1).shape
        net.conv(wide, 1).back_to(*thin).conv(wide, 3).concat(2 * wide)
        if pools:
            net.pool()
    return net.conv(1000, 1).pool(0)


def googlenet() -> Builder:
    """Szegedy and others: Going Deeper with Convolutions, 2014; torchvision's form (3 x 3 in place of 5 x 5)."""
    net = Builder(*_IMAGENET).conv(64, 7, 2).pool().conv(64, 1).conv(192, 3).pool()
    for one, reduced3, three, reduced5, five, pooled in (
        (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (0,) * 6, (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128), (0,) * 6, (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
    ):  # fmt: skip
        if not one:
            net.pool()
            continue
        before = net.shape
        net.conv(one, 1).back_to(*before).conv(reduced3, 1).conv(three, 3)
        net.back_to(*before).conv(reduced5, 1).conv(five, 3).back_to(*before).pool(1).conv(pooled, 1)
        net.concat(one + three + five + pooled)
    return _classes(net)


def densenet121() -> Builder:
    """Huang and others: Densely Connected Convolutional Networks, 2016."""
    net = Builder(*_IMAGENET).conv(64, 7, 2).pool()
    for stage, count in enumerate((6, 12, 24, 16)):
        if stage:
            net.conv(net.channels // 2, 1).pool()
        for _ in range(count):
            channels = net.channels
            net.norm().conv(128, 1).conv(32, 3).concat(channels + 32)
    return _classes(net.norm())


def shufflenet_v2() -> Builder:
    """Ma and others: ShuffleNet V2, 2018, width 0.5."""
    net = Builder(*_IMAGENET).conv(24, 3, 2).pool()
    for channels, count in ((48, 4), (96, 8), (192, 4)):
        half = channels // 2
        before = net.shape
        net.by_channel(3, 2).conv(half, 1).back_to(*before).conv(half, 1).by_channel(3, 2).conv(half, 1)
        net.concat(channels).norm()
        for _ in range(count - 1):
            net.split(half).conv(half, 1).by_channel().conv(half, 1).concat(channels).norm()
    return _classes(net.conv(1024, 1))


def srgan() -> Builder:
    """Ledig and others: Photo-Realistic Single Image Super-Resolution Using a GAN, 2016."""
    net = Builder(3, 128, 128).conv(64, 9).norm()
    for _ in range(16):
        net.conv(64).norm().conv(64).merge()
    net.conv(64).merge()
    for _ in range(2):
        net.conv(256).shuffle(2).norm()
    return net.conv(3, 9)


def rrdb() -> Builder:
    """Wang and others: ESRGAN, 2018; Real-ESRGAN's x4plus has the same generator."""
    net = Builder(3, 128, 128).conv(64)
    for _ in range(23):
        for _ in range(3):
            for i in range(5):
                net.conv(32 if i < 4 else 64)
                if i < 4:
                    net.concat(64 + 32 * (i + 1))
            net.merge()
        net.merge()
    net.conv(64).merge()
    for _ in range(2):
        net.resize(2).conv(64)
    return net.conv(64).conv(3)


def real_esrgan_general() -> Builder:
    """Wang and others: Real-ESRGAN, 2021: the compact generator, with a slope for each channel."""
    net = Builder(3, 128, 128).conv(64).norm()
    for _ in range(32):
        net.conv(64).norm()
    return net.conv(48).shuffle(4).merge()


def quicksrnet(channels: int, layers: int) -> Builder:
    """Berger and others: QuickSRNet, 2023, four times as large."""
    net = Builder(3, 128, 128).conv(channels)
    for _ in range(layers):
        net.conv(channels)
    return net.conv(48).shuffle(4)


def dncnn() -> Builder:
    """Zhang and others: Beyond a Gaussian Denoiser, 2016: 17 layers, for grey pictures."""
    net = Builder(1, 256, 256).conv(64)
    for _ in range(15):
        net.conv(64)
    return net.conv(1).merge()


def unet() -> Builder:
    """Ronneberger and others: U-Net, 2015; padded, with transposed convolutions."""
    net = Builder(3, 640, 1280)
    skips = []
    for stage in range(5):
        if stage:
            net.pool()
        skips.append(net.conv(64 << stage).conv(64 << stage).channels)
    for channels in reversed(skips[:-1]):
        net.enlarge_conv(channels).concat(2 * channels).conv(channels).conv(channels)
    return net.conv(2, 1)


def u2net() -> Builder:
    """Qin and others: U²-Net, 2020."""
    net = Builder(3, 320, 320)
    encoder = ((7, 32, 64), (6, 32, 128), (5, 64, 256), (4, 128, 512), (0, 256, 512), (0, 256, 512))
    for stage, (height, middle, out) in enumerate(encoder):
        if stage:
            net.pool()
        _rsu(net, height, middle, out)
    decoder = ((0, 256, 512), (4, 128, 256), (5, 64, 128), (6, 32, 64), (7, 16, 64))
    for (height, middle, out), (*_, skipped) in zip(decoder, reversed(encoder[:-1]), strict=True):
        net.resize(2).concat(net.channels + skipped)
        _rsu(net, height, middle, out)
    return net.conv(1).concat(6).conv(1, 1).norm()


def _rsu(net: Builder, height: int, middle: int, out: int) -> None:
    """A residual U-block; a height of 0 is the one that dilates and does not pool."""
    net.conv(out)
    levels = height or 4
    net.conv(middle)
    for _ in range(levels - 2):
        if height:
            net.pool()
        net.conv(middle)
    net.conv(middle)
    for level in range(levels - 1):
        net.concat(2 * middle).conv(out if level == levels - 2 else middle)
        if height and level < levels - 2:
            net.resize(2)
    net.merge()


def nafnet(height: int, width: int, encoder: tuple[int, ...], middle: int, decoder: int) -> Builder:
    """Chen and others: Simple Baselines for Image Restoration, 2022, width 64."""
    net = Builder(3, height, width).conv(64)
    for count in encoder:
        _naf_blocks(net, count)
        net.conv(2 * net.channels, 2, 2)
    _naf_blocks(net, middle)
    for _ in encoder:
        net.conv(2 * net.channels, 1).shuffle(2).merge()
        _naf_blocks(net, decoder)
    return net.conv(3).merge()


def _naf_blocks(net: Builder, count: int) -> None:
    channels = net.channels
    for _ in range(count):
        net.norm().conv(2 * channels, 1).by_channel().split(channels).merge(2, "Mul")
        inner = net.shape
        net.pool(0).dense(channels).back_to(*inner).merge(1, "Mul").conv(channels, 1).merge()
        net.norm().conv(2 * channels, 1).split(channels).merge(2, "Mul").conv(channels, 1).merge()


def aotgan() -> Builder:
    """Zeng and others: Aggregated Contextual Transformations for High-Resolution Image Inpainting, 2021."""
    net = Builder(4, 512, 512).conv(64, 7).conv(128, 4, 2).conv(256, 4, 2)
    for _ in range(8):
        before = net.shape
        for _ in range(4):
            net.back_to(*before).norm().conv(64)
        net.concat(256).norm().conv(256).back_to(*before).norm().conv(256).norm().norm().merge().merge()
    for channels in (128, 64):
        net.resize(2).conv(channels)
    return net.conv(3).norm()


NETWORKS: dict[str, Callable[[], Builder]] = {
    "resnet18": lambda: resnet((2, 2, 2, 2), False),
    "resnet50": lambda: resnet((3, 4, 6, 3), True),
    "resnet101": lambda: resnet((3, 4, 23, 3), True),
    "wideresnet50": lambda: resnet((3, 4, 6, 3), True, 128),
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_large": mobilenet_v3_large,
    "mnasnet05": mnasnet05,
    "squeezenet1_1": squeezenet1_1,
    "googlenet": googlenet,
    "densenet121": densenet121,
    "shufflenet_v2": shufflenet_v2,
    "srgan": srgan,
    "esrgan": rrdb,
    "real_esrgan_x4plus": rrdb,
    "real_esrgan_general_x4v3": real_esrgan_general,
    "quicksrnetsmall": lambda: quicksrnet(32, 2),
    "quicksrnetmedium": lambda: quicksrnet(32, 5),
    "quicksrnetlarge": lambda: quicksrnet(64, 11),
    "dncnn": dncnn,
    "unet_segmentation": unet,
    "u2net_segmentation": u2net,
    "nafnet_deblur": lambda: nafnet(360, 640, (1, 1, 1, 28), 1, 1),
    "nafnet_denoise": lambda: nafnet(256, 256, (2, 2, 4, 8), 12, 2),
    "aotgan": aotgan,
}
"""Networks by the names that the measurements have."""

PARAMETERS = {
    "resnet18": 11.7, "resnet50": 25.5, "resnet101": 44.5, "wideresnet50": 68.9, "mobilenet_v2": 3.49,
    "mobilenet_v3_large": 5.47, "mnasnet05": 2.21, "squeezenet1_1": 1.24, "googlenet": 6.62, "densenet121": 7.99,
    "shufflenet_v2": 1.37, "srgan": 1.55, "esrgan": 16.7, "real_esrgan_x4plus": 16.7, "real_esrgan_general_x4v3": 1.21,
    "quicksrnetsmall": 0.0333, "quicksrnetmedium": 0.0610, "quicksrnetlarge": 0.436, "dncnn": 0.555,
    "unet_segmentation": 31.0, "u2net_segmentation": 44.0, "nafnet_deblur": 67.89, "nafnet_denoise": 115.98,
    "aotgan": 15.2,
}  # fmt: skip
"""10⁶ parameters, biases and norms included, as Qualcomm states them for what it measured."""


@cache
def costs(name: str) -> Costs:
    """What a published network costs."""
    return total(NETWORKS[name]().layers)
