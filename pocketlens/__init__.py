"""Pocketlens: a trained portrait filter in, verified ONNX, OpenVINO, TFLite and Core ML files out.

The public API; each name is imported when it is first used, so that a Raspberry Pi never needs what builds bundles::

    import pocketlens

    session = pocketlens.load("wave.bundle")     # picks the artifact and the runtime that work here
    stylized = session(picture)                  # uint8 [H, W, 3], RGB, in and out
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

# onnxruntime and OpenVINO report home from wherever they are imported, OpenVINO from a forked process that has hung.
# What people build is theirs: both are told not to, unless the program has already decided otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

if TYPE_CHECKING:
    from pocketlens.bench.measure import bench_bundle as benchmark
    from pocketlens.bundle.load import load
    from pocketlens.bundle.read import Bundle, open_bundle
    from pocketlens.bundle.verify import verify
    from pocketlens.pipeline.commands.build import build
    from pocketlens.pipeline.commands.convert import convert
    from pocketlens.pipeline.commands.predict import predict
    from pocketlens.recipe import Recipe
    from pocketlens.recipe_search.command import search
    from pocketlens.runtimes.frames import YuvFrame
    from pocketlens.runtimes.session import Session

    __version__: str

_WHERE = {
    "Bundle": "pocketlens.bundle.read:Bundle",
    "Recipe": "pocketlens.recipe:Recipe",
    "Session": "pocketlens.runtimes.session:Session",
    "YuvFrame": "pocketlens.runtimes.frames:YuvFrame",
    "__version__": "pocketlens.version:VERSION",
    "benchmark": "pocketlens.bench.measure:bench_bundle",
    "build": "pocketlens.pipeline.commands.build:build",
    "convert": "pocketlens.pipeline.commands.convert:convert",
    "load": "pocketlens.bundle.load:load",
    "open_bundle": "pocketlens.bundle.read:open_bundle",
    "predict": "pocketlens.pipeline.commands.predict:predict",
    "search": "pocketlens.recipe_search.command:search",
    "verify": "pocketlens.bundle.verify:verify",
}

__all__ = [
    "Bundle",
    "Recipe",
    "Session",
    "YuvFrame",
    "__version__",
    "benchmark",
    "build",
    "convert",
    "load",
    "open_bundle",
    "predict",
    "search",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'pocketlens' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found
