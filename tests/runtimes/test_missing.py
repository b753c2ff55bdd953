"""A library that is made for few machines: what is said on the others, before any work."""

import sys

import pytest

from pocketlens import machine
from pocketlens.errors import MissingError
from pocketlens.pipeline.evaluation import check_targets
from pocketlens.runtimes import adapter
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.targets import TARGETS

EXTRA = [name for name, target in TARGETS.items() if target.extra]


@pytest.mark.skipif(sys.platform != "linux", reason="the rules are Linux's")
@pytest.mark.parametrize("target", EXTRA)
@pytest.mark.parametrize(
    ("name", "found", "message"),
    [
        ("architecture", "aarch64", "it runs on x86_64 only, this is aarch64"),
        ("glibc", (2, 31), r"it needs glibc 2\.3\d or newer, this system has 2\.31"),
        ("glibc", (0, 0), r"it needs glibc 2\.3\d or newer, this system has none"),
    ],
)
def test_another_machine_is_told(
    monkeypatch: pytest.MonkeyPatch, target: str, name: str, found: object, message: str
) -> None:
    monkeypatch.setattr(machine, name, lambda: found)
    with pytest.raises(MissingError, match=f"{target} files cannot be made here: {message}") as caught:
        check_targets({target: ["fp16"]})
    assert caught.value.exit_code == 3 and caught.value.do == f"pip install 'pocketlens[{TARGETS[target].extra}]'"


@pytest.mark.parametrize("target", EXTRA)
def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    runtime = RUNTIMES[TARGETS[target].runtimes[0]]
    monkeypatch.setattr(machine, "architecture", lambda: runtime.machine)
    monkeypatch.setattr(machine, "glibc", lambda: (3, 0))
    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    assert runtime.missing() == f"{runtime.libraries[0]} is not installed"
