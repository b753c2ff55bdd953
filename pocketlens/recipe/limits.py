"""What must hold: ``[gate]``, ``[budget]`` and ``[accelerators]``."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, create_model, model_validator

from pocketlens.placement import ACCELERATORS
from pocketlens.recipe.values import Limit
from pocketlens.toml_file import Table


class Gate(Table):
    """Limits on the worst judge picture, compared with the teacher's; a limit that is left out is not judged.

    Attributes:
        psnr: PSNR in dB, at least.
        ssim: SSIM, at least; 1 for equal pictures.
        flip: FLIP, the mean difference that a person sees, 0..1, at most.
        flicker: Flicker in values of 0..255, at most: the change between two frames of the clip beyond the teacher's
            own, of the worst two. Only low-bit artifacts are judged by it.
        identity: Similarity of a person before and after the filter, at least, of the worst face in the judge
            pictures; 1 for the same picture. It needs the extra ``likeness``.
        skin: How much further the filter moves lightness and hue of skin in the worst of ten tones than in the best, at
            most, in CIELAB.
    """

    psnr: Limit | None = None
    ssim: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    flip: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    flicker: Limit | None = None
    identity: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    skin: Limit | None = None


class Budget(Table):
    """Limits on time, size and memory; a limit that is left out is not judged.

    Attributes:
        fps: Frames in a second, at least.
        frame_ms: Milliseconds of a frame, at most; says the same as ``fps``.
        percentile: The percentile of the frame times that ``fps`` or ``frame_ms`` is judged on.
        first_frame_ms: Milliseconds for loading an artifact and its first frame together, at most, once the runtime's
            library is imported.
        size_mb: Megabytes (10⁶ bytes) of an artifact's files, at most.
        memory_mb: Megabytes of resident memory that runtime and artifact add to a process, at most.
        preset: The name of published limits: ``snap-lens``, ``tiktok-effect`` or ``youtube-shorts``. The keys above
            replace its own.
    """

    fps: Limit | None = None
    frame_ms: Limit | None = None
    percentile: Annotated[float, Field(ge=50, lt=100, strict=True)] = 95
    first_frame_ms: Limit | None = None
    size_mb: Limit | None = None
    memory_mb: Limit | None = None
    preset: str = ""

    @model_validator(mode="after")
    def _one_frame_time(self) -> Self:
        if self.fps is not None and self.frame_ms is not None:
            raise ValueError("fps and frame_ms say the same thing; give one")
        return self


_Mode = Literal["require", "report", "off"]
_AcceleratorKeys: Any = create_model(
    "_AcceleratorKeys", __base__=Table, **{a.key: (_Mode, a.mode) for a in ACCELERATORS.values()}
)  # type: ignore[call-overload]
"""A key for each of :data:`pocketlens.placement.ACCELERATORS`."""


class Accelerators(_AcceleratorKeys):
    """Whether accelerators are asked how they compute the artifacts of their targets.

    There is a key for each of :data:`pocketlens.placement.ACCELERATORS`. ``"report"``: the table of placements shows
    it, and one that cannot be asked here is shown as not checked. ``"require"``: the build fails unless the
    accelerator computes every such artifact wholly, and with the teacher's picture. ``"off"``: it is not asked. The
    browser's are off where the bundle holds no page for it.
    """

    @model_validator(mode="after")
    def _rules_require_nothing(self) -> Self:
        for accelerator in ACCELERATORS.values():
            if not accelerator.executes and getattr(self, accelerator.key) == "require":
                raise ValueError(f"{accelerator.key}: nothing is executed there, so nothing can be required")
        return self

    def mode(self, accelerator: str) -> str:
        """``require``, ``report`` or ``off`` of a name of the table.

        Example:
            >>> Accelerators(litert_gpu="off").mode("litert-gpu")
            'off'
        """
        mode: str = getattr(self, ACCELERATORS[accelerator].key)
        return mode
