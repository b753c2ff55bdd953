"""What a device needs to run workers: the light half of this package, and libraries where it lacks them."""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pocketlens
from pocketlens import files
from pocketlens.errors import MissingError

_LIGHT = (
    "*.py", "quality", "runtimes", "bundle/__init__.py", "bundle/typed.py", "bench/__init__.py", "bench/document.py",
    "bench/environment.py", "bench/telemetry.py", "bench/worker.py",
)  # fmt: skip
"""Relative to the package; a folder stands for all Python files in it."""

LIBRARIES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "litert": "ai-edge-litert"}
"""The distribution that each runtime comes in; those that are not here cannot be fetched for a device."""

MODULES = {"numpy": "numpy", "pillow": "PIL", "onnxruntime": "onnxruntime", "openvino": "openvino"}
"""Import names of distributions; ai-edge-litert has two, see :data:`LITERT`."""
LITERT = ("ai_edge_litert", "tflite_runtime")

OLDEST = (3, 11)
"""The oldest Python that runs a worker."""


@dataclass(frozen=True)
class Platform:
    """What decides which wheels fit a device: ``platform.machine()``, Python's version and glibc's."""

    machine: str
    python: tuple[int, int]
    glibc: tuple[int, int]

    @property
    def tags(self) -> list[str]:
        """The wheel tags that fit, newest first (PEP 600).

        Example:
            >>> Platform("aarch64", (3, 11), (2, 19)).tags
            ['manylinux_2_19_aarch64', 'manylinux_2_18_aarch64', 'manylinux_2_17_aarch64', 'manylinux2014_aarch64']
        """
        numbered = [f"manylinux_2_{minor}_{self.machine}" for minor in range(self.glibc[1], 16, -1)]
        return [*numbered, f"manylinux2014_{self.machine}"]


@cache
def archive() -> tuple[str, bytes]:
    """The light half as a tar file, and what names it: a hash, so that a device never runs another version's worker."""
    home = Path(pocketlens.__file__).parent
    found: list[Path] = []
    for name in _LIGHT:
        for place in sorted(home.glob(name)):
            found += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in found:
            data = path.read_bytes()
            entry = tarfile.TarInfo(f"pocketlens/{path.relative_to(home).as_posix()}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    data = buffer.getvalue()
    return hashlib.sha256(data).hexdigest()[:16], data


def requirements(runtimes: Sequence[str]) -> list[str]:
    """What a worker for these runtimes needs, in the versions that are installed here, so that devices compare."""
    wanted = ["numpy", "pillow", *sorted({LIBRARIES[name] for name in runtimes if name in LIBRARIES})]
    return [f"{name}=={found}" if (found := _here(name)) else name for name in wanted]


def _here(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def site(wanted: Sequence[str], fits: Platform) -> tuple[str, Path]:
    """A folder for ``PYTHONPATH`` with libraries for a device, fetched and unpacked here: the device needs no network.

    Args:
        wanted: Requirements as pip takes them.
        fits: The device's platform.

    Returns:
        A name for its content, and a tar file.

    Raises:
        MissingError: pip cannot get them; the message has its last words.
    """
    key = files.key_of(wanted=sorted(wanted), machine=fits.machine, python=fits.python, glibc=fits.glibc)

    def make(folder: Path) -> None:
        target = folder / "site"
        python = ".".join(map(str, fits.python))
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--only-binary=:all:", "--implementation", "cp", "--python-version", python),
            *("--abi", "cp" + "".join(map(str, fits.python)), "--abi", "abi3", "--abi", "none"),
            *[part for tag in fits.tags for part in ("--platform", tag)],
            *("--target", str(target), *wanted),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            words = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise MissingError(
                f"{', '.join(wanted)} cannot be fetched for {fits.machine}, Python {python}: "
                f"{(words or [done.stderr.strip()[-200:]])[-1]}",
                do="install them on the device, and name its Python: --device 'ssh://HOST?python=/path/to/python'",
            )
        with tarfile.open(folder / "site.tar.gz", "w:gz", compresslevel=1) as tar:
            tar.add(target, arcname=".")
        shutil.rmtree(target)

    return key[:16], files.cached("site", key, make) / "site.tar.gz"
