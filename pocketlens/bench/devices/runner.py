"""What a device needs to run workers: the measuring part of this package, and the libraries that it lacks."""

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pocketlens import files
from pocketlens.errors import MissingError
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.subprocesses import module_command

_RUNNER_FILES = (
    "*.py", "quality", "runtimes", "bundle/__init__.py", "bundle/typed.py", "bench/__init__.py", "bench/document.py",
    "bench/environment.py", "bench/limits.py", "bench/result.py", "bench/telemetry.py", "bench/worker.py",
)  # fmt: skip
"""The files of the package that a worker needs; a folder stands for all Python files in it."""

OLDEST_PYTHON = (3, 11)
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
    """A tar file of what a worker needs, and its name: a hash, so that no device runs another version's worker."""
    home = Path(__file__).parents[2]
    paths: list[Path] = []
    for pattern in _RUNNER_FILES:
        for path in sorted(home.glob(pattern)):
            paths += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in paths:
            data = path.read_bytes()
            entry = tarfile.TarInfo(f"pocketlens/{path.relative_to(home).as_posix()}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    data = buffer.getvalue()
    return hashlib.sha256(data).hexdigest()[:16], data


def has_wheels(runtime: str) -> bool:
    """Whether a runtime's library can be fetched for a device: it runs on any system, and artifacts are timed in it."""
    return not RUNTIMES[runtime].platform and not RUNTIMES[runtime].interpreted


def requirements(runtimes: Sequence[str]) -> list[str]:
    """The libraries that a worker for these runtimes needs, in the versions installed here: devices stay comparable."""
    names = ["numpy", "pillow", *sorted({RUNTIMES[name].distributions[0] for name in runtimes if has_wheels(name)})]
    return [f"{name}=={installed}" if (installed := _installed_version(name)) else name for name in names]


def _installed_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def site_packages(requirements: Sequence[str], device: Platform) -> tuple[str, Path]:
    """A folder for ``PYTHONPATH`` with libraries for a device, fetched and unpacked here: the device needs no network.

    Args:
        requirements: As pip takes them.
        device: The device's platform.

    Returns:
        A name for its content, and a tar file.

    Raises:
        MissingError: pip cannot get them; the message has its last error.
    """
    key = files.key_of(wanted=sorted(requirements), machine=device.machine, python=device.python, glibc=device.glibc)

    def make(folder: Path) -> None:
        target = folder / "site"
        python = ".".join(map(str, device.python))
        command = [
            *module_command("pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
            *("--only-binary=:all:", "--implementation", "cp", "--python-version", python),
            *("--abi", "cp" + "".join(map(str, device.python)), "--abi", "abi3", "--abi", "none"),
            *[part for tag in device.tags for part in ("--platform", tag)],
            *("--target", str(target), *requirements),
        ]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            errors = [line for line in process.stderr.splitlines() if line.startswith("ERROR")]
            raise MissingError(
                f"{', '.join(requirements)} cannot be fetched for {device.machine}, Python {python}: "
                f"{(errors or [process.stderr.strip()[-200:]])[-1]}",
                do="install them on the device, and name its Python: --device 'ssh://HOST?python=/path/to/python'",
            )
        with tarfile.open(folder / "site.tar.gz", "w:gz", compresslevel=1) as tar:
            tar.add(target, arcname=".")
        shutil.rmtree(target)

    return key[:16], files.cached("site", key, make) / "site.tar.gz"
