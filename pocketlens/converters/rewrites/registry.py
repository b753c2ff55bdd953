"""The rewrites that a target may want: each makes the same pixels, and may or may not be faster there.

Which of them a target gets where nothing was measured is said by :attr:`pocketlens.targets.Target.rewrites`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import onnx_ir as ir

from pocketlens.converters.rewrites.activate_early import ActivateEarly
from pocketlens.converters.rewrites.average_by_axis import AverageByAxis
from pocketlens.converters.rewrites.cleanup import cleanup
from pocketlens.converters.rewrites.enlarge_by_products import EnlargeByProducts
from pocketlens.converters.rewrites.enlarge_last import EnlargeLast
from pocketlens.converters.rewrites.keep_packed import KeepPacked
from pocketlens.converters.rewrites.keep_rows import KeepRows
from pocketlens.converters.rewrites.pack_thin_conv import PackThinConv
from pocketlens.converters.rewrites.passes import GraphPass, run
from pocketlens.converters.rewrites.shuffle_last import ShuffleLast
from pocketlens.converters.rewrites.sub_pixel_conv import SubPixelConv
from pocketlens.converters.rewrites.winograd_conv import WinogradConv
from pocketlens.errors import InputError

MAX_ROUNDS = 10
"""How often one rewrite is repeated at most; each leaves nothing to do after one or two."""


@dataclass(frozen=True)
class Rewrite:
    """An exact graph-to-graph pass that targets choose.

    Attributes:
        name: As ``--rewrites`` takes it.
        summary: What it does, in one line.
        kind: The pass.
        only_fp32: Whether it is for files of that precision alone: its sums leave the range in which low-bit values are
            right.
    """

    name: str
    summary: str
    kind: type[GraphPass]
    only_fp32: bool = False

    def run(self, model: ir.Model) -> bool:
        """Change a graph in place until there is nothing left to change, and say whether anything was."""
        return run(ir.passes.PassManager([self.kind()], steps=MAX_ROUNDS, early_stop=True), model)


REWRITES: dict[str, Rewrite] = {
    rewrite.name: rewrite
    for rewrite in (
        Rewrite(
            "enlarge-last",
            "convolutions of pictures enlarged by repeated pixels are computed at the small size",
            EnlargeLast,
        ),
        Rewrite(
            "pack-thin-conv",
            "large convolutions to few channels compute 2 x 2 pixels at once",
            PackThinConv,
        ),
        Rewrite(
            "keep-packed",
            "no pixel shuffle or transposed convolution in front of a convolution that computes blocks",
            KeepPacked,
        ),
        Rewrite(
            "sub-pixel-conv",
            "transposed convolutions as convolutions and a pixel shuffle",
            SubPixelConv,
        ),
        Rewrite(
            "activate-early",
            "a Relu behind a Concat or shuffle moves into the convolutions in front",
            ActivateEarly,
        ),
        Rewrite(
            "shuffle-last",
            "the last norm before the last pixel shuffle, on four times the channels",
            ShuffleLast,
        ),
        Rewrite(
            "winograd-conv",
            "3 x 3 convolutions of many channels compute four rows at a time with half the products",
            WinogradConv,
            only_fp32=True,
        ),
        Rewrite(
            "keep-rows",
            "no Reshape between convolutions that compute tiles of rows",
            KeepRows,
            only_fp32=True,
        ),
        Rewrite(
            "average-by-axis",
            "means over windows of few channels along one axis after the other",
            AverageByAxis,
        ),
        Rewrite(
            "enlarge-by-products",
            "pictures of few channels are enlarged bilinearly by two matrix products",
            EnlargeByProducts,
        ),
    )
}
"""Every rewrite by its name, in the order in which they run: later ones build on what earlier ones leave."""


def for_precision(names: Iterable[str], precision: str) -> tuple[str, ...]:
    """Those of some rewrites that files of a precision may have, in the order in which they run.

    Raises:
        InputError: There is no such rewrite.
    """
    return tuple(name for name in in_order(names) if precision == "fp32" or not REWRITES[name].only_fp32)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names in the order in which they run, each once.

    Raises:
        InputError: There is no such rewrite; the message lists those that exist.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(REWRITES))
    if unknown:
        raise InputError(f"there is no rewrite {unknown[0]!r}", do=f"choose from {', '.join(REWRITES)}")
    return tuple(name for name in REWRITES if name in wanted)


def apply(model: ir.Model, names: Iterable[str]) -> tuple[str, ...]:
    """Run rewrites on a graph, in place, in the order of :data:`REWRITES`.

    Args:
        model: The graph; it stays one (:func:`pocketlens.converters.graph.check`).
        names: Those to run.

    Returns:
        Those that changed something.

    Raises:
        InputError: There is no such rewrite.
    """
    changed = tuple(name for name in in_order(names) if REWRITES[name].run(model))
    if changed:
        cleanup(model)
    return changed
