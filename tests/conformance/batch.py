"""Many cases in one file, for accelerators whose compiler or engine takes longer to start than to play a case.

The file takes one picture with a row of cells, one below the other. Each case reads its cell and writes it, so that the
picture that comes out shows which case is wrong.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, compose, helper, numpy_helper

from pocketlens import accelerators
from pocketlens.accelerators import Request
from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels, write_artifact
from pocketlens.converters.prepare import prepare
from pocketlens.converters.quantization.plan import default_plan
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.quantization.simulate import simulate
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.rewrites import registry
from pocketlens.errors import InputError, UnsupportedError
from pocketlens.pipeline.commands.inspect import refused
from pocketlens.placement import ACCELERATORS
from pocketlens.quality import psnr
from pocketlens.targets import TARGETS, ArtifactSpec
from tests.conformance.case import Case, picture
from tests.conformance.check import INTEGER_FLOOR, prepared_case

FLOORS = {"fp32": 60.0, "fp16": 40.0, "int8": INTEGER_FLOOR}
"""dB: of floats against onnxruntime, of int8 against the graph with quantizers played exactly.

Engines round functions such as tanh more coarsely than processors do, half precision rounds to one part in 2,000, and a
case spreads its values over the whole range, up to twenty times; a wrong row or weight falls far below.
"""
JUMPS = {
    "ArgMax", "ArgMin", "Cast", "Ceil", "Equal", "Floor", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod",
    "QuantizeLinear", "Round", "Sign", "ThresholdedRelu", "TopK",
}  # fmt: skip
"""Not asked in integers: a value that is rounded to the next level may fall on the other side of a jump."""
_MOST_JOINED = 4
"""Values that one Concat joins: GPUs bind few buffers at once."""
_CASE = re.compile(r"case(\d+)\.")


@dataclass(frozen=True)
class Verdict:
    """What an accelerator made of a case.

    Attributes:
        status: whole: every operator on it, and right; partly: right, some operators elsewhere; refused: by the target
            or its compiler, in words; wrong: another picture, or the engine fails; void: not asked, since a
            value is the same everywhere, or its integers jump.
        operators: Those of the file that it left to the processor.
        reason: Why, in words.
    """

    status: str
    operators: tuple[str, ...] = ()
    reason: str = ""


class Unclear(Exception):
    """The file as a whole failed, and nothing says which case is the reason."""


def play(cases: Sequence[Case], accelerator: str, precision: str) -> list[Verdict]:
    """Play cases in one file.

    Raises:
        Unclear: See there; of one case, too.
    """
    target = ACCELERATORS[accelerator].targets[0]
    quantizes = TARGETS[target].precision(precision).quantizes == "activations"
    verdicts: dict[int, Verdict] = {}
    for number, case in enumerate(cases):
        if prepared_case(case).is_even and precision != "fp32":
            verdicts[number] = Verdict("void", reason="its values are all the same")
        elif quantizes and case.operators() & JUMPS:
            verdicts[number] = Verdict("void", reason="it jumps")
        elif refusals := refused(prepared_case(case).graph, target):
            verdicts[number] = Verdict("refused", reason="; ".join(dict.fromkeys(r.reason for r in refusals)))
    while left := [number for number in range(len(cases)) if number not in verdicts]:
        try:
            verdicts |= _play({number: cases[number] for number in left}, accelerator, precision)
        except InputError as error:  # of the quantizer or a compiler: names the nodes that it does not take
            named = {int(number) for number in _CASE.findall(error.what)} & set(left)
            if not named and len(left) > 1:
                raise Unclear(error.what) from error
            reason = re.sub(r"case\d+\.", "", " ".join(error.what.split()))
            status = "refused" if isinstance(error, UnsupportedError) else "void"
            if status == "void" and "everywhere on all" not in reason:
                raise Unclear(reason) from error
            verdicts |= {number: Verdict(status, reason=reason) for number in named or left}
    return [verdicts[number] for number in range(len(cases))]


def _play(cases: dict[int, Case], accelerator: str, precision: str) -> dict[int, Verdict]:
    target = TARGETS[ACCELERATORS[accelerator].targets[0]]
    height, width = (max(prepared_case(case).size[axis] for case in cases.values()) for axis in (0, 1))
    pictures = [np.tile(picture(height, width, seed), (len(cases), 1, 1)) for seed in (5, 6, 7)]
    graph = prepare(ir.from_proto(merge(cases, height, width)), *pictures[0].shape[:2], Ranges())
    names = registry.for_precision(target.rewrites, precision)
    expected = {number: prepared_case(case).expected for number, case in cases.items()}
    if target.precision(precision).quantizes == "activations":
        plan = default_plan(precision)
        graph = quantize(graph, plan, pictures, target.quantizers, lambda model: registry.apply(model, names))
        simulated = np.clip(simulate(graph, pictures[:1])[0], 0, 255)
        expected = {n: _cell(simulated, i, height, cases[n]) for i, n in enumerate(cases)}
    else:
        registry.apply(graph, names)
    with tempfile.TemporaryDirectory() as folder:
        spec = ArtifactSpec(target.name, precision, pictures[0].shape[:2], _chip(target.name))
        path = Path(folder) / f"cases{target.suffix}"
        write_artifact(graph, spec, Labels("cases"), path)
        answer = accelerators.engine(accelerator).place(Request(path, pictures[0]))
    placement, output = answer.placement, answer.output
    if output is None or (placement.status != "whole" and len(cases) > 1):
        raise Unclear(placement.reason or placement.text)
    verdict = Verdict(placement.status, placement.operators, placement.reason)
    verdicts = {}
    for place, number in enumerate(cases):
        reached = psnr(expected[number], _cell(np.clip(output, 0, 255), place, height, cases[number]))
        right = reached >= FLOORS[precision]  # not so of NaN
        reason = f"{reached:.1f} dB, at least {FLOORS[precision]:.0f} expected"
        verdicts[number] = verdict if right else replace(verdict, status="wrong", reason=reason)
    return verdicts


def _chip(target: str) -> str:
    return "sm8650" if TARGETS[target].chips else ""


def _cell(image: np.ndarray, place: int, height: int, case: Case) -> np.ndarray:
    own_height, own_width = prepared_case(case).size
    return image[place * height : place * height + own_height, :own_width]


def merge(cases: dict[int, Case], height: int, width: int) -> onnx.ModelProto:
    """One generator of all cases; nodes of case 3 are named ``case3.…``.

    Args:
        cases: By number.
        height: Of a cell, in pixels; no case is larger.
        width: The same.
    """
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {"cell_fill": np.float32(0)}
    weights: list[onnx.TensorProto] = []
    cells = []
    for place, (number, case) in enumerate(cases.items()):
        prefix = f"case{number}."
        model = compose.add_prefix(_named(case.model()), prefix)
        own = prepared_case(case).size
        cell = f"cell{number}."
        constants[f"{cell}from"] = np.array([0, 0, place * height, 0])
        constants[f"{cell}to"] = np.array([1, 3, place * height + own[0], own[1]])
        reads, writes = prefix + hub.INPUT, prefix + hub.OUTPUT
        nodes.append(_node("Slice", [hub.INPUT, f"{cell}from", f"{cell}to"], reads))
        nodes += model.graph.node
        weights += model.graph.initializer
        if own != (height, width):
            constants[f"{cell}pads"] = np.array([0, 0, 0, 0, 0, 0, height - own[0], width - own[1]])
            nodes.append(_node("Pad", [writes, f"{cell}pads", "cell_fill"], f"{cell}padded"))
            writes = f"{cell}padded"
        cells.append(writes)
    while len(cells) > 1:
        groups = [cells[i : i + _MOST_JOINED] for i in range(0, len(cells), _MOST_JOINED)]
        cells = [group[0] if len(group) == 1 else f"{group[0]}+" for group in groups]
        joined = zip(groups, cells, strict=True)
        nodes += [_node("Concat", group, name, axis=2) for group, name in joined if len(group) > 1]
    nodes.append(_node("Identity", cells, hub.OUTPUT))
    shape = [1, 3, len(cases) * height, width]
    graph = helper.make_graph(
        nodes,
        "cases",
        [helper.make_tensor_value_info(hub.INPUT, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(hub.OUTPUT, TensorProto.FLOAT, shape)],
        [*weights, *(numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items())],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", hub.OPSET)], ir_version=10)


def _named(model: onnx.ModelProto) -> onnx.ModelProto:
    for index, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{index}"
    return model


def _node(operator: str, inputs: Sequence[str], output: str, **attributes: int) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, [output], name=f"{output}_{operator}", **attributes)
