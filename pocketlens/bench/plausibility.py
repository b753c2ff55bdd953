"""Times that cannot be true: they imply more arithmetic than the machine is able to do.

Frameworks that return before the work is done give such times, and so do clocks that stand still in a virtual machine.
"""

from pocketlens.bench.document import Host

_FLOPS_PER_CYCLE = (("amx_tile", 2048), ("avx512f", 64), ("avx2", 32), ("sve", 64), ("asimd", 16), ("neon", 16))
"""Two fused multiply-adds a cycle at the register's width, ``float32``; AMX: one tile product of 16-bit floats."""
_UNKNOWN_FLOPS_PER_CYCLE = 64
_HIGHEST_MHZ = 6000.0
_FLOAT_SPEEDUP = {"fp32": 1.0, "fp16": 2.0, "bf16": 2.0}
_INTEGER_SPEEDUP = 4.0
_WINOGRAD_SAVING = 4.0
"""Winograd's convolutions need at most four times fewer multiplications (F(4x4, 3x3): 36 instead of 144)."""


def peak_gflops(host: Host, precision: str | None = None) -> float:
    """An upper bound, in GFLOP/s, of what any program can compute on a machine's processor. It is not measured.

    Cores times the highest frequency times operations a cycle, times two for 16-bit and four for 8-bit numbers.

    Args:
        host: The machine. A fact that it does not report is assumed to be the fastest of its kind.
        precision: The precision of the arithmetic.

    Example:
        >>> pi = Host("", "", "aarch64", "", 4, None, "", "", {}, ("asimd",), 2400.0)
        >>> peak_gflops(pi), peak_gflops(pi, "int8")
        (153.6, 614.4)
    """
    flops_per_cycle = next((count for name, count in _FLOPS_PER_CYCLE if name in host.simd), _UNKNOWN_FLOPS_PER_CYCLE)
    speedup = _FLOAT_SPEEDUP.get(precision or "fp32", _INTEGER_SPEEDUP)
    return round(host.cores * (host.max_mhz or _HIGHEST_MHZ) / 1000 * flops_per_cycle * speedup, 1)


def implausible(macs: int, milliseconds: float, host: Host, precision: str | None = None) -> str:
    """Why a time cannot be true, in words; empty if it can.

    Args:
        macs: Multiply-adds of one picture.
        milliseconds: The time of one picture.
        host: The machine. The bound is that of its processor: times of a GPU or an NPU cannot be checked.
        precision: The precision of the arithmetic.
    """
    implied = 2 * macs / milliseconds / 1e6
    bound = peak_gflops(host, precision)
    if implied <= _WINOGRAD_SAVING * bound:
        return ""
    return (
        f"{milliseconds:.3g} ms for {macs / 1e9:.3g} GMACs are {implied:,.0f} GFLOP/s; {host.cores} cores of this "
        f"processor cannot do more than {bound:,.0f}: the time is not that of the work"
    )
