"""The suite that admits a target: whatever stands in :data:`pocketlens.targets.TARGETS` goes through all of it.

A file of each precision is emitted twice, played by each runtime that is here, and compared; a wrong one is caught:
what other tools have got wrong with exit code 0 must fail here.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest

from pocketlens.chips import ChipChoice
from pocketlens.converters import graph as hub
from pocketlens.converters.constants import constant
from pocketlens.converters.emitter import Labels, emitter, refuse, write_artifact
from pocketlens.converters.verify import verify_artifact
from pocketlens.errors import UnsupportedError, VerificationError
from pocketlens.files import artifact_files, sha256
from pocketlens.models.source import wrap
from pocketlens.models.teacher import torch_teacher
from pocketlens.pipeline.compile import CompiledSize, base_graph, compile_sizes
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.quantize import graph_quantizer
from pocketlens.pipeline.stages.rewrite import rewrite
from pocketlens.precisions import PRECISIONS
from pocketlens.progress import silent
from pocketlens.recipe import Quantize
from pocketlens.runtimes.adapter import RUNTIMES
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS, ArtifactSpec
from tests.generators import SIGNED, picture, seeded, small_graph

SIZE = (32, 48)
PICTURES = [picture(*SIZE, seed) for seed in range(2)]


def _skip_without_compiler(target: str) -> None:
    runtime = RUNTIMES[TARGETS[target].runtimes[0]]
    if TARGETS[target].extra and (reason := runtime.missing()):
        pytest.skip(f"{target}: {reason}: {runtime.install}")


@pytest.fixture(scope="module")
def teachers() -> list[np.ndarray]:
    teacher = torch_teacher(seeded(), SIGNED)
    return [teacher(p) for p in PICTURES]


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    source = wrap(seeded(), "small", ranges=(SIGNED.input, SIGNED.output), size=SIZE)
    names = tuple(f"{i}.png" for i in range(len(PICTURES)))
    eval_set = EvalSet(names, tuple(PICTURES), calibration=tuple(picture(*SIZE, seed) for seed in (7, 8)))
    return Evaluation.prepare(source, eval_set, Labels("small", license="MIT"))


@pytest.mark.parametrize(
    "spec",
    [ArtifactSpec(name, precision, SIZE) for name in TARGETS for precision in TARGETS[name].precision_names],
    ids=lambda spec: spec.id,
)
def test_every_precision_is_written_played_and_what_the_table_says(
    evaluation: Evaluation, spec: ArtifactSpec, tmp_path: Path
) -> None:
    _skip_without_compiler(spec.target)
    chips = ChipChoice((spec.chip,) if spec.chip else ())
    (compiled,) = compile_sizes([evaluation], {spec.target: [spec.precision]}, silent, chips=chips)
    (artifact,) = compiled.artifacts
    assert artifact.spec == spec and artifact.path.name == spec.filename
    assert sorted(part.suffix for part in artifact.path.parent.glob(f"{spec.id}*")) == sorted(
        (spec.format.suffix, *spec.format.beside)
    )
    assert artifact.verification.worst.psnr >= (spec.floors.teacher or spec.floors.file)
    assert (artifact.verification.agreement is not None) == spec.arithmetic.is_low_bit
    assert artifact.verification.runtime_info.runtime in spec.format.runtimes
    if not spec.arithmetic.is_low_bit:
        assert artifact.verification.worst.ssim > 0.999
    for name in spec.format.runtimes:
        if not RUNTIMES[name].missing():
            _plays_as_the_table_says(artifact.path, name, spec)
    again = spec.path(tmp_path)
    write_artifact(hub.load(_graph(compiled, spec)), spec, evaluation.labels, again)
    for part in artifact_files(again):
        assert sha256(part) == sha256(artifact.path.parent / part.name), "the same graph gives the same bytes"


def _plays_as_the_table_says(path: Path, runtime: str, spec: ArtifactSpec) -> None:
    player = RUNTIMES[runtime].open(path)
    (image,), (stylized,) = player.inputs, player.outputs
    height, width = spec.size
    shape = (1, 3, height, width) if spec.layout == "NCHW" else (1, height, width, 3)
    assert image.shape == stylized.shape == shape
    if spec.dtype != "image":
        assert image.dtype == stylized.dtype == spec.dtype
    player.close()
    with open_artifact(path, runtime=runtime) as session:
        assert session(PICTURES[0]).shape == (height, width, 3)


def _graph(compiled: CompiledSize, spec: ArtifactSpec) -> Path:
    """The graph that the compiled artifact was emitted from, out of the cache."""
    evaluation = compiled.evaluation
    graph = base_graph(evaluation, [spec]).path
    target_graph = rewrite(evaluation, graph, spec.format.rewrites, spec.precision)
    if spec.arithmetic.is_low_bit:
        target_graph = graph_quantizer(evaluation, graph, target_graph, spec, Quantize()).quantize()
    return target_graph.path


def _change_weight(graph: ir.Model, layer: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    value = next(v for name, v in graph.graph.initializers.items() if name.startswith(layer))
    value.const_value = ir.tensor(change(np.array(constant(value))), name=value.name)


def _swap_channels(graph: ir.Model) -> None:
    _change_weight(graph, "down.weight", lambda w: np.ascontiguousarray(w[:, ::-1]))


def _zero_kernel(graph: ir.Model) -> None:
    def zero_first(w: np.ndarray) -> np.ndarray:
        w[0] = 0
        return w

    _change_weight(graph, "up.weight", zero_first)


def _shift_padding(graph: ir.Model) -> None:
    conv = next(n for n in graph.graph if n.op_type == "Conv" and hub.ints(n, "strides", (1, 1)) == (2, 2))
    conv.attributes["pads"] = ir.AttrInt64s("pads", [0, 0, 2, 2])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("damage", [_swap_channels, _zero_kernel, _shift_padding])
def test_wrong_files_are_caught(
    tmp_path: Path, teachers: list[np.ndarray], target: str, damage: Callable[[ir.Model], None]
) -> None:
    _skip_without_compiler(target)
    graph = small_graph()
    damage(graph)
    path = tmp_path / f"wrong{TARGETS[target].suffix}"
    emitter(target).emit(graph, TARGETS[target].float_precision, Labels("wrong"), path)
    with pytest.raises(VerificationError, match=r"is wrong: .* dB against the teacher"):
        verify_artifact(path, PRECISIONS["fp16"].floors, PICTURES, teachers)


@pytest.mark.parametrize("target", TARGETS)
def test_unknown_operators_are_refused_before_any_work(target: str) -> None:
    graph = small_graph()
    tail = graph.graph[-1]
    odd = ir.node("Wobble", [tail.inputs[0]], domain="com.example", name="the_odd_one")
    odd.outputs[0].shape, odd.outputs[0].dtype = tail.inputs[0].shape, ir.DataType.FLOAT
    graph.graph.insert_before(tail, odd)
    graph.opset_imports["com.example"] = 1
    tail.replace_input_with(0, odd.outputs[0])
    with pytest.raises(UnsupportedError, match=rf"{target}: Wobble 'the_odd_one'"):
        refuse(graph, [target])
