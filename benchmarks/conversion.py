"""Convert one generator in one way, in a fresh process, and print what it took as JSON.

    python -m benchmarks.conversion pocketlens-tflite wave.npz 256 out.tflite

``seconds`` is from the torch module in memory to the file on disk; imports are ``import_seconds``.
"""

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.generators import Pixels, generator
from pocketlens.converters.ranges import Ranges
from pocketlens.targets import TARGETS

Convert = Callable[[torch.nn.Module, Ranges, torch.Tensor, Path], None]


def pocketlens(target: str, precision: str) -> Convert:
    """Export to the graph, then emit."""
    from pocketlens.converters.emitter import Labels, emitter
    from pocketlens.models.export import export

    importlib.import_module(TARGETS[target].package)

    def convert(module: torch.nn.Module, ranges: Ranges, example: torch.Tensor, path: Path) -> None:
        graph = export(module, *example.shape[2:], ranges)
        emitter(target).emit(graph, precision, Labels("benchmark"), path)

    return convert


def litert_torch() -> Convert:
    """litert-torch as its documentation says, with channels-last input and output: what an Android app wants."""
    peer: Any = importlib.import_module("litert_torch")

    def convert(module: torch.nn.Module, ranges: Ranges, example: torch.Tensor, path: Path) -> None:
        wrapped = peer.to_channel_last_io(Pixels(module, ranges), args=[0], outputs=[0]).eval()
        peer.convert(wrapped, (example.permute(0, 2, 3, 1).contiguous(),)).export(str(path))

    return convert


def raw_onnx() -> Convert:
    """Torch's own exporter, nothing after it."""

    def convert(module: torch.nn.Module, ranges: Ranges, example: torch.Tensor, path: Path) -> None:
        torch.onnx.export(
            Pixels(module, ranges), (example,), str(path), dynamo=True, verbose=False, external_data=False
        )

    return convert


def raw_openvino() -> Convert:
    """``ov.convert_model`` on torch's own export, weights kept in float32."""
    import openvino as ov

    def convert(module: torch.nn.Module, ranges: Ranges, example: torch.Tensor, path: Path) -> None:
        raw_onnx()(module, ranges, example, path.with_suffix(".raw.onnx"))
        ov.save_model(ov.convert_model(path.with_suffix(".raw.onnx")), path, compress_to_fp16=False)

    return convert


WAYS: dict[str, Callable[[], Convert]] = {
    **{
        f"pocketlens-{target}-{precision}": partial(pocketlens, target, precision)
        for target in TARGETS
        for precision in ("fp32", "fp16")
    },
    "litert-torch": litert_torch,
    "raw-onnx": raw_onnx,
    "raw-openvino": raw_openvino,
}
"""Every way; the last three run in the peers' environment."""


def main() -> None:
    way, name, size, out = sys.argv[1:]
    began = time.perf_counter()
    convert = WAYS[way]()
    imported = time.perf_counter()
    module, ranges = generator(name)
    example = torch.zeros(1, 3, int(size), int(size))
    start = time.perf_counter()
    convert(module, ranges, example, Path(out))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"seconds": seconds, "import_seconds": imported - began, "peak_mb": peak}))


if __name__ == "__main__":
    main()
