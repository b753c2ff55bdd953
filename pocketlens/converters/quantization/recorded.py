"""Statistics that are kept for a while: targets and settings of a build often ask for those of the same graph."""

import hashlib
from collections.abc import Mapping, Sequence

import onnx_ir as ir

from pocketlens.converters.quantization.calibrate import ActivationStatistics, calibrate
from pocketlens.images import Picture

MAX_RECORDED = 16
"""Calibrations that are kept, the newest ones: a target needs four, and each takes up to some MB."""
_recorded: dict[str, Mapping[str, ActivationStatistics]] = {}


def calibrate_once(
    model: ir.Model, names: Sequence[str], pictures: Sequence[Picture], *, histograms: bool
) -> Mapping[str, ActivationStatistics]:
    """:func:`calibrate`, or what it gave for a graph, values and pictures of the same content before.

    Values are not shared between graphs of other outputs: what a runtime fuses, and so the last bit, depends on them.

    Raises:
        InputError: As :func:`calibrate` does.
    """
    key = _key(model, names, pictures, histograms)
    if (statistics := _recorded.get(key)) is None:
        statistics = calibrate(model, names, pictures, histograms=histograms)
        _recorded[key] = statistics
        for oldest in list(_recorded)[:-MAX_RECORDED]:
            _recorded.pop(oldest, None)
    return statistics


def _key(model: ir.Model, names: Sequence[str], pictures: Sequence[Picture], histograms: bool) -> str:
    digest = hashlib.sha256(ir.to_proto(model).SerializeToString(deterministic=True))
    digest.update(repr((list(names), histograms, [picture.shape for picture in pictures])).encode())
    for picture in pictures:
        digest.update(picture.tobytes())
    return digest.hexdigest()
