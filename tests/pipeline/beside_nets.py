"""Small nets with more than a picture in and out: recurrent mattes, references and masks."""

from pathlib import Path

import torch
from torch import nn


def _conv(channels: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 3, stride, 1)


class Matte(nn.Module):
    """As video mattes are written: no states for the first frame, two scales of them, foreground and alpha out."""

    input_range = (0.0, 1.0)
    output_range = (0.0, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.fine, self.down = _conv(3, 4), _conv(8, 4), _conv(4, 6, 2)
        self.coarse, self.colours, self.alpha = _conv(12, 6), _conv(10, 3), _conv(10, 1)

    def forward(
        self, src: torch.Tensor, r1: torch.Tensor | None = None, r2: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        seen = torch.relu(self.first(src))
        fine = torch.tanh(2 * self.fine(torch.cat([seen, torch.zeros_like(seen) if r1 is None else r1], 1)))
        down = torch.relu(self.down(fine))
        coarse = torch.tanh(2 * self.coarse(torch.cat([down, torch.zeros_like(down) if r2 is None else r2], 1)))
        both = torch.cat([fine, nn.functional.interpolate(coarse, scale_factor=2.0)], 1)
        return torch.sigmoid(2 * self.colours(both)), torch.sigmoid(9 * self.alpha(both)), fine, coarse


class Paired(nn.Module):
    """A picture and a reference of three channels, or a mask of one."""

    input_range = (-1.0, 1.0)
    output_range = (-1.0, 1.0)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a, self.b, self.last = _conv(3, 4), _conv(channels, 4), _conv(8, 3)

    def forward(self, image: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        both = torch.cat([torch.relu(self.a(image)), torch.relu(self.b(other))], 1)
        return torch.tanh(2 * self.last(both))


class Enlarging(nn.Module):
    """Twice as large, 0..255."""

    def __init__(self) -> None:
        super().__init__()
        self.last = _conv(3, 12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.pixel_shuffle(255 * torch.sigmoid(self.last(x / 255 - 0.5)), 2)


def _seeded(module: nn.Module) -> nn.Module:
    torch.manual_seed(5)
    for parameter in module.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    return module.eval()


def matte() -> nn.Module:
    return _seeded(Matte())


def reference() -> nn.Module:
    return _seeded(Paired(3))


def mask() -> nn.Module:
    return _seeded(Paired(1))


def enlarging() -> nn.Module:
    return _seeded(Enlarging())


def matte_file(path: Path, *, free: bool) -> None:
    """The matte as an ``.onnx`` file; with ``free`` states of any shape, broadcast from one zero as RVM's are."""

    class Broadcast(Matte):
        def forward(self, src: torch.Tensor, *states: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
            zeros = [torch.zeros_like(state) for state in super().forward(src)[2:]]
            return super().forward(src, *(zero + state for zero, state in zip(zeros, states, strict=True)))  # type: ignore[operator]

    module = Broadcast()
    module.load_state_dict(matte().state_dict())
    states = (torch.zeros(1, 4, 32, 48), torch.zeros(1, 6, 16, 24))
    names = ["src", "r1i", "r2i", "fgr", "pha", "r1o", "r2o"]
    axes = {name: {2: f"h{name}", 3: f"w{name}"} for name in ("r1i", "r2i")} | {"src": {2: "h", 3: "w"}}
    torch.onnx.export(
        module.eval(), (torch.zeros(1, 3, 32, 48), *states), str(path), dynamo=False, opset_version=17,
        input_names=names[:3], output_names=names[3:], dynamic_axes=axes if free else None,
    )  # fmt: skip
