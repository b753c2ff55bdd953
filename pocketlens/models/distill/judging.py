"""How a student is scored on the way."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocketlens import images, quality
from pocketlens.converters.ranges import Ranges
from pocketlens.images import Floats, Picture
from pocketlens.likeness import Likeness, likeness
from pocketlens.models.distill.task import play
from pocketlens.models.training.run import device


def judge_of(
    judges: Sequence[Picture], references: Sequence[Floats], ranges: Ranges, folder: Path | None
) -> Callable[[nn.Module, int], dict[str, float]]:
    """What scores a student on judge pictures against the teacher's, and writes a preview of the first beside it."""

    def judge(student: nn.Module, step: int) -> dict[str, float]:
        where, scores, likes = device(), [], list[Likeness]()
        for index, (picture, wanted) in enumerate(zip(judges, references, strict=True)):
            with torch.no_grad():
                planar = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)).to(where)
                found = 255 * play(student, planar, ranges)[0].cpu().numpy().transpose(1, 2, 0)
            drawn = images.to_uint8(found)
            scores.append(quality.compare(wanted, drawn))
            if kept := likeness(picture, drawn):
                likes.append(kept)
            if index == 0 and folder is not None:
                beside = np.concatenate([picture, images.to_uint8(wanted), drawn], 1)
                images.write(folder / "previews" / f"{step:06d}.png", beside)
        person = (
            {}
            if not likes
            else {
                "faces": float(np.mean([one.found for one in likes])),
                "likeness": round(float(np.mean([one.structure for one in likes])), 4),
            }
        )
        return {
            "ssim": round(float(np.mean([s.ssim for s in scores])), 4),
            "psnr": round(float(np.mean([s.psnr for s in scores])), 2),
            "worst_ssim": round(min(s.ssim for s in scores), 4),
            **person,
        }

    return judge
