"""What a machine's Python says of itself before anything is copied there."""

import re
from dataclasses import dataclass, field

from pocketlens.bench.devices import runner
from pocketlens.bench.errors import AnswerError
from pocketlens.bench.limits import MAX_ENTRIES, MAX_GLIBC_MINOR, MAX_TEXT
from pocketlens.bundle import typed
from pocketlens.errors import InputError
from pocketlens.runtimes.adapter import RUNTIMES

_RUNTIMES = [runtime for runtime in RUNTIMES.values() if runner.has_wheels(runtime.name)]
_LIBRARIES = ("numpy", "PIL", *dict.fromkeys(name for runtime in _RUNTIMES for name in runtime.libraries))
"""Import names of the libraries that a device is asked for."""
_MARK = "pocketlens-probe "
SCRIPT = f"""
import sys, json, platform
from importlib.util import find_spec
libc = platform.libc_ver()[1] or '0.0'
names = {list(_LIBRARIES)}
print('{_MARK}' + json.dumps({{'python': list(sys.version_info[:2]), 'machine': platform.machine(),
    'glibc': libc, 'modules': [name for name in names if find_spec(name)]}}))
"""
"""Printed by the machine's Python: what :func:`parse` reads."""


@dataclass(frozen=True)
class Probe:
    """The facts that a machine's Python reports."""

    python: tuple[int, int] = field(metadata=typed.bounds(0, 999))
    machine: str = field(metadata=typed.bounds(length=MAX_TEXT))
    glibc: str = field(metadata=typed.bounds(length=MAX_TEXT))
    modules: tuple[str, ...] = field(metadata=typed.bounds(length=MAX_ENTRIES))

    def has(self, runtime: str) -> bool:
        """Whether everything for a runtime is installed there."""
        return {"numpy", "PIL"} <= set(self.modules) and any(
            name in self.modules for name in RUNTIMES[runtime].libraries
        )

    @property
    def platform(self) -> runner.Platform:
        """What decides which wheels fit. A Python of musl or Android has no glibc, and no wheel fits it."""
        major, minor = (int(part) for part in self.glibc.split(".")[:2])
        return runner.Platform(self.machine, self.python, (major, minor))


def parse(printed: str) -> Probe | None:
    """The facts in what :data:`SCRIPT` printed; None if it did not run.

    Raises:
        AnswerError: They are not what a machine can be.

    Example:
        >>> parse('pocketlens-probe {"python": [3, 11], "machine": "aarch64", "glibc": "2.36", "modules": []}').glibc
        '2.36'
    """
    lines = [line for line in printed.splitlines() if line.startswith(_MARK)]
    if not lines:
        return None
    try:
        probe = typed.build(Probe, typed.parse(lines[-1].removeprefix(_MARK), "probe"), "probe")
    except InputError as error:
        raise AnswerError(error.what, do=_LOOK) from error
    version = re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,3})(\.[0-9]{1,3})?", probe.glibc)
    if version is None or int(version[2]) > MAX_GLIBC_MINOR:
        raise AnswerError(f"probe: glibc is {probe.glibc[:40]!r}, expected 2.17 to 2.{MAX_GLIBC_MINOR}", do=_LOOK)
    if not re.fullmatch(r"[A-Za-z0-9_]{1,32}", probe.machine):  # it becomes a part of the tags that pip is given
        raise AnswerError(f"probe: machine is {probe.machine[:40]!r}, expected a word such as 'aarch64'", do=_LOOK)
    return probe


_LOOK = "look at the Python there, or name another: --device 'ssh://HOST?python=/path/to/python'"
