"""The recipe's gate, judged on an artifact's scores."""

from operator import ge, le

from pocketlens.bundle.manifest import GateResult
from pocketlens.quality import Scores
from pocketlens.recipe import Gate as Limits


def gates_of(worst: Scores, flicker: float | None, limits: Limits, style: str = "") -> tuple[GateResult, ...]:
    """Every limit that was asked for, with what was measured on the worst judge picture and the clip.

    Example:
        >>> [gate.verdict for gate in gates_of(Scores(37.2, 0.98, 40.0), None, Limits(psnr=38, ssim=0.97))]
        ['fail', 'pass']
    """
    least = (("psnr", limits.psnr, worst.psnr), ("ssim", limits.ssim, worst.ssim))
    most = (("flip", limits.flip, worst.flip), ("flicker", limits.flicker, flicker))
    return tuple(
        GateResult(name, limit, actual, "pass" if holds(actual, limit) else "fail", style)
        for asked, holds in ((least, ge), (most, le))
        for name, limit, actual in asked
        if limit is not None and actual is not None
    )


def limits_of(limits: Limits) -> str:
    """A gate in words.

    Example:
        >>> limits_of(Limits(psnr=38, flicker=1.5))
        'PSNR of at least 38 dB, flicker of at most 1.5'
    """
    parts = [f"PSNR of at least {limits.psnr:g} dB"] if limits.psnr is not None else []
    parts += [f"SSIM of at least {limits.ssim:g}"] if limits.ssim is not None else []
    parts += [f"FLIP of at most {limits.flip:g}"] if limits.flip is not None else []
    parts += [f"flicker of at most {limits.flicker:g}"] if limits.flicker is not None else []
    return ", ".join(parts)
