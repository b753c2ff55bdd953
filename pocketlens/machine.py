"""What kind of machine this is, as far as the speed of an artifact goes."""

import functools
import os
import platform
import sys
from pathlib import Path


def cpu() -> str:
    """The processor's name, or the board's where the processor has none."""
    info = text(Path("/proc/cpuinfo"))
    # x86 has "model name"; arm64 kernels name the board, if anything, in "Model" or the device tree.
    board = text(Path("/proc/device-tree/model"))
    names = [*fields(info, "model name"), *([board] if board else []), *fields(info, "model")]
    return names[0] if names else platform.processor() or platform.machine()


def architecture() -> str:
    """The kind of processor, as the system names it: ``x86_64``, ``aarch64``, ``arm64`` and so on."""
    return platform.machine()


def glibc() -> tuple[int, ...]:
    """The version of the GNU C library; zeros where the system has none.

    Example:
        >>> len(glibc())
        2
    """
    name, version = platform.libc_ver()
    return tuple(map(int, version.split(".")[:2])) if name == "glibc" else (0, 0)


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def distribution_version(name: str) -> str:
    """The version of an installed distribution, from the name of the folder with its metadata.

    ``importlib.metadata`` parses that metadata as mail, which costs a tenth of a filter's first frame; it is asked only
    where no folder has the name.

    Example:
        >>> distribution_version("numpy").count(".") >= 1
        True
    """
    prefix, suffix = f"{name.replace('-', '_')}-", ".dist-info"
    for folder in sys.path:
        if metadata := next(Path(folder).glob(f"{prefix}*{suffix}"), None):
            return metadata.name.removeprefix(prefix).removesuffix(suffix)
    from importlib.metadata import version

    return version(name)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 by itself (AVX-512 BF16, AMX, Arm's BF16); without, it is slower than
    float32.
    """
    info = text(Path("/proc/cpuinfo"))
    flags = {flag for key in ("flags", "features") for line in fields(info, key)[:1] for flag in line.split()}
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def text(path: Path) -> str | None:
    """What a file of the system says, or None."""
    try:
        return path.read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def fields(content: str | None, key: str) -> list[str]:
    """The values after ``key:`` in a text such as ``/proc/cpuinfo``."""
    lines = (line.partition(":") for line in (content or "").splitlines())
    return [value.strip() for name, _, value in lines if name.strip().lower() == key.lower()]
