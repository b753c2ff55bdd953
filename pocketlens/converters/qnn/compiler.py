"""Compiles an ONNX file for a chip, in a process of its own: Qualcomm's compiler numbers what it makes with counters of
the whole process, prints to stdout, and may crash.
"""

import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pocketlens.converters.emitter import Refusal
from pocketlens.errors import InputError, MissingError, UnsupportedError
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.subprocesses import module_command, module_environment

TIMEOUT = 1800
"""Seconds after which a compilation counts as hung. The largest generator that was tried takes 40."""
_WRAPPER, _BINARY, _TRACE = "context.onnx", "context_qnn.bin", "qnn_op_trace.json"


@dataclass(frozen=True)
class CompiledContext:
    """What the compiler made.

    Attributes:
        wrapper: The ``.onnx`` file with an operator for each compiled part.
        binary: The parts themselves.
        left: Nodes that no part holds, so that the phone's processor computes them.
    """

    wrapper: Path
    binary: Path
    left: tuple[Refusal, ...]


def compile_context(graph: Path, soc_model: int) -> CompiledContext:
    """Compile ``graph`` for a chip; everything is written into the folder of ``graph``.

    Args:
        graph: An ``.onnx`` file.
        soc_model: The chip's number.

    Raises:
        MissingError: onnxruntime-qnn cannot be used here.
        UnsupportedError: No part of the graph can be compiled.
        InputError: The compiler crashed, or did not end.
    """
    runtime = RUNTIMES["qnn"]
    if reason := runtime.missing():
        raise MissingError(f"files for Snapdragon NPUs cannot be compiled here: {reason}", do=runtime.install)
    folder = graph.parent
    command = module_command(f"{__package__}.compile_process", str(graph), str(soc_model))
    try:
        ended = subprocess.run(
            command, env=module_environment(), capture_output=True, text=True, errors="replace", timeout=TIMEOUT,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InputError(f"Qualcomm's compiler did not end within {TIMEOUT} s", do="try a smaller size") from error
    if ended.returncode < 0:
        raise InputError(
            f"Qualcomm's compiler crashed ({signal.Signals(-ended.returncode).name})",
            do="see whether memory is short, or try a smaller size",
        )
    left = _left_to_cpu(folder / _TRACE)
    wrapper, binary = folder / _WRAPPER, folder / _BINARY
    if ended.returncode or not (wrapper.exists() and binary.exists()):
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        why = lines[-1] if lines else f"it ended with code {ended.returncode} and no message"
        named = "".join(f"\n  {refusal}" for refusal in left)
        raise UnsupportedError(
            f"Qualcomm's compiler takes no part of the graph: {why}{named}",
            do="choose another precision or chip, and please report the generator",
        )
    return CompiledContext(wrapper, binary, left)


def _left_to_cpu(trace: Path) -> tuple[Refusal, ...]:
    """The nodes that the provider did not take, and why, from its own trace of the translation."""
    if not trace.exists():
        return ()
    nodes = json.loads(trace.read_text())["unsupported_nodes"]
    return tuple(Refusal("qnn", node["op_type"], node["node_name"], node["reason"]) for node in nodes)
