"""Resizing by TFLite's two kernels, where they read exactly the pixels that the graph asks for.

RESIZE_NEAREST_NEIGHBOR leaves XNNPACK. It stays nevertheless: enlarging by concatenations and DEPTH_TO_SPACE, or by
concatenations and reshapes, stays inside and was slower (four doublings of 128 x 128 x 32: 18 against 28 and 21 ms).
"""

from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters import graph as hub
from pocketlens.converters import nearest
from pocketlens.converters.tflite.draft import Draft, Refused, Tensor
from pocketlens.converters.tflite.registry import lowers

_LINEAR = {
    "half_pixel": {"halfPixelCenters": True},
    "pytorch_half_pixel": {"halfPixelCenters": True},
    "align_corners": {"alignCorners": True},
    "asymmetric": {},
}
_NEAREST: tuple[tuple[bool, bool], ...] = ((False, False), (False, True), (True, False), (True, True))
"""(alignCorners, halfPixelCenters) of RESIZE_NEAREST_NEIGHBOR, the simplest first."""


@lowers(
    "Resize",
    needs="height and width of four axes; nearest or linear; half_pixel, pytorch_half_pixel, align_corners or asymmetric;"
    " linear without antialias where it shrinks, by a scale that is the ratio of the sizes",
)
def resize(draft: Draft, node: ir.Node) -> Tensor:
    """RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR over height and width."""
    source = node.inputs[0]
    assert source is not None
    before, after = hub.static_shape(source), hub.static_shape(node.outputs[0])
    if len(before) != 4 or before[:2] != after[:2]:
        raise Refused(f"from {list(before)} to {list(after)}, only height and width can be resized")
    x = draft.of(source)
    mode = hub.text(node, "mode", "nearest")
    if before == after and mode in ("nearest", "linear"):
        return x
    if mode == "linear":
        return _linear(draft, node, x, before, after)
    if mode != "nearest":
        raise Refused(f"mode {mode!r}, expected nearest or linear")
    return _nearest(draft, node, x, before, after)


def _linear(draft: Draft, node: ir.Node, x: Tensor, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor:
    convention = hub.text(node, "coordinate_transformation_mode", "half_pixel")
    if convention not in _LINEAR:
        raise Refused(f"the convention {convention!r}, expected {', '.join(_LINEAR)}")
    if hub.integer(node, "antialias", 0) and any(a < b for a, b in zip(after, before, strict=True)):
        raise Refused("it shrinks with antialiasing, which TFLite has not")
    if convention == "pytorch_half_pixel" and 1 in after[2:]:
        raise Refused("a size of 1 with the convention 'pytorch_half_pixel'")
    for axis in (2, 3):
        scale = nearest.scale(node, axis, before, after)
        # TFLite only knows the two sizes. A scale of its own that rounds to the same size samples elsewhere.
        if convention != "align_corners" and abs(before[axis] * scale - after[axis]) > 1e-4:
            raise Refused(f"the scale {scale:g} is not {after[axis]} / {before[axis]}")
    return _resize(
        draft, "RESIZE_BILINEAR", x, after, 3 if _LINEAR[convention].get("halfPixelCenters") else 1, _LINEAR[convention]
    )


def _nearest(draft: Draft, node: ir.Node, x: Tensor, before: tuple[int, ...], after: tuple[int, ...]) -> Tensor:
    rows, columns = (nearest.picked(node, axis, before, after) for axis in (2, 3))
    if rows is None or columns is None:
        convention = hub.text(node, "coordinate_transformation_mode", "half_pixel")
        raise Refused(f"the convention {convention!r} is not known")
    wanted = [rows, columns]
    for corners, centers in _NEAREST:
        found = [_tflite_nearest(before[axis], after[axis], corners, centers) for axis in (2, 3)]
        if all(np.array_equal(a, b) for a, b in zip(wanted, found, strict=True)):
            options = {"alignCorners": corners, "halfPixelCenters": centers}
            return _resize(draft, "RESIZE_NEAREST_NEIGHBOR", x, after, 3 if corners or centers else 1, options)
    # Neither convention of TFLite picks these pixels: pick them by number. GATHER leaves XNNPACK.
    for axis, picked in enumerate(wanted, start=1):
        shape = (*x.shape[:axis], len(picked), *x.shape[axis + 1 :])
        x = draft.add("GATHER", [x, draft.constant(picked)], shape, axis=axis)
    return x


def _resize(
    draft: Draft, code: str, x: Tensor, after: tuple[int, ...], version: int, options: dict[str, Any]
) -> Tensor:
    height, width = after[2:]
    return draft.add(
        code, [x, draft.integers([height, width])], (x.shape[0], height, width, x.shape[3]), version, **options
    )


def _tflite_nearest(length: int, out: int, corners: bool, centers: bool) -> NDArray[np.int64]:
    """The pixel that RESIZE_NEAREST_NEIGHBOR takes, as TFLite's reference kernel computes it."""
    corner = corners and out > 1
    scale = np.float32(length - 1) / np.float32(out - 1) if corner else np.float32(length) / np.float32(out)
    at = (np.arange(out, dtype=np.float32) + np.float32(0.5 if centers else 0.0)) * scale
    picked: NDArray[np.int64] = np.clip(np.floor(at + 0.5) if corners else np.floor(at), 0, length - 1).astype(np.int64)
    return picked
