"""How a student is scored while it is trained."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocketlens import images, quality
from pocketlens.converters.ranges import Ranges
from pocketlens.images import Floats, Picture
from pocketlens.likeness import Likeness, likeness
from pocketlens.models.distill.distillation import run_student
from pocketlens.models.training.loop import Scorer, device


def teacher_scorer(
    eval_pictures: Sequence[Picture], teacher_outputs: Sequence[Floats], ranges: Ranges, folder: Path | None
) -> Scorer:
    """Scores a student's outputs for evaluation pictures against the teacher's, and writes a preview of the first.

    Args:
        eval_pictures: Pictures that training never sees.
        teacher_outputs: The teacher's output for each of them.
        ranges: The student's value ranges.
        folder: Gets ``previews``; None writes none.
    """

    def score(student: nn.Module, step: int) -> dict[str, float]:
        where, scores, likenesses = device(), [], list[Likeness]()
        for index, (picture, target) in enumerate(zip(eval_pictures, teacher_outputs, strict=True)):
            with torch.no_grad():
                planar = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32)).to(where)
                pixels = 255 * run_student(student, planar, ranges)[0].cpu().numpy().transpose(1, 2, 0)
            output = images.to_uint8(pixels)
            scores.append(quality.compare(target, output))
            if kept := likeness(picture, output):
                likenesses.append(kept)
            if index == 0 and folder is not None:
                beside = np.concatenate([picture, images.to_uint8(target), output], 1)
                images.write(folder / "previews" / f"{step:06d}.png", beside)
        person = (
            {}
            if not likenesses
            else {
                "faces": float(np.mean([kept.face_found for kept in likenesses])),
                "likeness": round(float(np.mean([kept.structure for kept in likenesses])), 4),
            }
        )
        return {
            "ssim": round(float(np.mean([s.ssim for s in scores])), 4),
            "psnr": round(float(np.mean([s.psnr for s in scores])), 2),
            "worst_ssim": round(min(s.ssim for s in scores), 4),
            **person,
        }

    return score
