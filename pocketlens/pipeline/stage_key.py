"""What every stage's result depends on besides its inputs: this code, the libraries, and for times the machine."""

import os
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pocketlens
from pocketlens.files import files_under, key_of, sha256
from pocketlens.version import BASE_VERSION

LIBRARIES = (
    "ai-edge-litert",
    "coreai-core",
    "coremltools",
    "flatbuffers",
    "flip-evaluator",
    "numpy",
    "onnx",
    "onnx-ir",
    "onnxruntime",
    "onnxruntime-qnn",
    "onnxscript",
    "openvino",
    "optimum",
    "optimum-onnx",
    "pillow",
    "torch",
    "transformers",
)
"""Every library that can change what an artifact holds or computes."""


def stage_key(**parts: Any) -> str:
    """The cache key of a stage: its inputs, Pocketlens' own code and the versions of its libraries.

    Args:
        parts: Everything else that the result depends on, as JSON data.
    """
    return key_of(code=_code(), tools=toolchain(), **parts)


@cache
def toolchain() -> dict[str, str]:
    """The version of every library of :data:`LIBRARIES` that is installed, and Pocketlens's base version."""
    versions = {"pocketlens": BASE_VERSION}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def machine() -> dict[str, str]:
    """What tells this machine from another, for results that depend on it."""
    return {"node": platform.node(), "system": platform.platform(), "cores": str(os.cpu_count())}


@cache
def _code() -> str:
    """SHA-256 of Pocketlens' own source, so that a changed emitter never answers from the cache."""
    root = Path(pocketlens.__file__).parent
    return key_of(files={str(p.relative_to(root)): sha256(p) for p in files_under(root) if p.suffix == ".py"})
