"""Losses on pictures that need no downloaded weights. All take ``float32 [N, C, H, W]``, values 0..1 unless said
otherwise.
"""

import torch
from torch.nn import functional as F

_C1, _C2 = 0.01**2, 0.03**2
_WINDOW = 7
_SPARSE = 2
"""How many of the largest scales have every second window only."""


def ssim(a: torch.Tensor, b: torch.Tensor, stride: int = 1) -> torch.Tensor:
    """Mean structural similarity over 7 x 7 windows (Wang et al. 2004), a scalar of at most 1.

    Args:
        a: One picture.
        b: The other.
        stride: Pixels from one window to the next.

    Example:
        >>> picture = torch.rand(1, 3, 16, 16)
        >>> round(float(ssim(picture, picture)), 4)
        1.0
    """
    luminance, structure = _similarities(a, b, stride)
    return (luminance * structure).mean()


def multi_scale_ssim(a: torch.Tensor, b: torch.Tensor, scales: int = 3) -> torch.Tensor:
    """The mean of :func:`ssim` over the picture and its halves (after Wang, Simoncelli and Bovik 2003).

    They multiply the scales; a mean keeps gradients alive where one of them is near 0, as at the start of a training.
    At the two largest scales every second window is taken across and down: the same on average, and windows cost as
        much as
    a small student's convolutions.

    Args:
        a: One picture.
        b: The other.
        scales: How many sizes; sizes under 7 pixels are left out.
    """
    similarities = []
    for scale in range(scales):
        if min(a.shape[-2:]) < _WINDOW:
            break
        similarities.append(ssim(a, b, 2 if scale < _SPARSE else 1))
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return torch.stack(similarities).mean()


def gradient(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean difference of the differences between neighbours, across and down: lines where lines are."""
    return F.l1_loss(a.diff(dim=3), b.diff(dim=3)) + F.l1_loss(a.diff(dim=2), b.diff(dim=2))


def frequency(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean difference of the Fourier coefficients, divided by the picture's side: texture of the right strength.

    After Jiang et al., "Focal Frequency Loss" (2021), without their weights.
    """
    difference = torch.fft.rfft2(a, norm="ortho") - torch.fft.rfft2(b, norm="ortho")
    return torch.view_as_real(difference).abs().mean()


def hinge_discriminator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """What a discriminator minimizes: at least 1 for real patches, at most -1 for generated ones (Lim and Ye 2017)."""
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


def hinge_generator(fake: torch.Tensor) -> torch.Tensor:
    """What a generator minimizes against :func:`hinge_discriminator`."""
    return -fake.mean()


def _similarities(a: torch.Tensor, b: torch.Tensor, stride: int) -> tuple[torch.Tensor, torch.Tensor]:
    # One pooling of all that is learned from, and one of all that is not, which then costs no gradient.
    learned = _means(torch.cat([a, a * a, a * b], 1), stride)
    fixed = _means(torch.cat([b, b * b], 1), stride)
    mean_a, square_a, product = learned.chunk(3, 1)
    mean_b, square_b = fixed.chunk(2, 1)
    var_a, var_b = square_a - mean_a**2, square_b - mean_b**2
    covariance = product - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    return luminance, (2 * covariance + _C2) / (var_a + var_b + _C2)


def _means(x: torch.Tensor, stride: int) -> torch.Tensor:
    """Of each window. On a processor a depthwise convolution is 5 times as fast as ``avg_pool2d``, there and back."""
    if x.device.type != "cpu":  # where convolutions may round to TF32, and variances would drown in it
        return F.avg_pool2d(x, _WINDOW, stride)
    channels = x.shape[1]
    kernel = x.new_full((channels, 1, _WINDOW, _WINDOW), 1 / _WINDOW**2)
    return F.conv2d(x, kernel, stride=stride, groups=channels)
