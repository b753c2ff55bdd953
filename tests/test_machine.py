"""What the machine can do, as its system says."""

import pytest

from pocketlens import machine


@pytest.mark.parametrize(
    ("said", "has"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16\n", True),
        ("flags : fpu amx_bf16 amx_int8\n", True),
        ("BogoMIPS\t: 50.00\nFeatures\t: fp asimd bf16 i8mm\n", True),
        ("flags : fpu avx2 avx512f avx512_vnni\n", False),
        ("", False),
        (None, False),
    ],
)
def test_bfloat16_is_told_by_the_processor_s_flags(
    said: str | None, has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "text", lambda path: said)
    assert machine.has_bfloat16() is has
