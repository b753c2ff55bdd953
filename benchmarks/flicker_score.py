"""ColorVideoVDP's score of clips, in an environment of its own: ``flicker_score.py CLIPS.npz FPS`` prints JSON.

``CLIPS.npz`` holds ``expected`` and the clips to score, ``uint8 [frames, height, width, 3]`` each. The score is in JOD:
10 is no difference that a person sees, one less is seen by three of four.
"""

import json
import sys
import types

import numpy as np
import torch


class GaussianBlur(torch.nn.Module):
    """What ColorVideoVDP takes from torchvision, which cannot be imported beside a torch that it was not built for."""

    def __init__(self, size: int, sigma: float) -> None:
        super().__init__()
        places = torch.arange(size) - (size - 1) / 2
        weights = torch.exp(-0.5 * (places / sigma) ** 2)
        self.weights, self.pad = weights / weights.sum(), size // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        planes = x.reshape(-1, 1, *x.shape[-2:])
        planes = torch.nn.functional.pad(planes, [self.pad] * 4, mode="reflect")
        weights = self.weights.to(x)
        planes = torch.nn.functional.conv2d(planes, weights.view(1, 1, -1, 1))
        return torch.nn.functional.conv2d(planes, weights.view(1, 1, 1, -1)).reshape(x.shape)


_MISSING = {
    "torchvision": {},
    "torchvision.transforms": {"GaussianBlur": GaussianBlur},
    "torchvision.ops": {"MLP": object},
}
for _name, _classes in _MISSING.items():
    sys.modules[_name] = types.ModuleType(_name)
    vars(sys.modules[_name]).update(_classes)

import pycvvdp  # noqa: E402


def main() -> None:
    clips = np.load(sys.argv[1])
    metric = pycvvdp.cvvdp(display_name="standard_phone", device=torch.device("cpu"), quiet=True)
    expected = clips["expected"]
    scores = {}
    for name in clips.files:
        if name != "expected":
            jod, _ = metric.predict(clips[name], expected, dim_order="FHWC", frames_per_second=float(sys.argv[2]))
            scores[name] = round(float(jod), 3)
    json.dump(scores, sys.stdout)


if __name__ == "__main__":
    main()
