"""What integers gain where: one convolution in each form that onnxruntime has kernels for, and a generator's time by
operator.

    python -m benchmarks.integer_kernels                                          # the convolution
    python -m benchmarks.integer_kernels ../shared/data/fast_style/wave.npz       # and the generator, fp32 beside int8

All forms of the convolution take turns in one process. A generator is profiled by onnxruntime itself; LiteRT has no
profiler in Python, so there its file is timed beside the same one without its norms: the difference is what they cost.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from benchmarks.generators import generator
from benchmarks.shim import in_turns
from pocketlens.cli import output
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.quantization.plan import Plan, default_plan, rules_for_few_inputs
from pocketlens.converters.quantization.quantize import quantize
from pocketlens.converters.rewrites import registry
from pocketlens.models.export import export
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.runtimes.session import open_artifact
from pocketlens.targets import TARGETS

CHANNELS, EDGE = 128, 64
FORMS: dict[str, tuple[Any, Any, bool]] = {
    "fp32": (None, None, False),
    "U8S8": (np.uint8, np.int8, True),
    "U8U8": (np.uint8, np.uint8, True),
    "S8S8": (np.int8, np.int8, True),
    "U16S8": (np.uint16, np.int8, True),
    "U8S8, output float": (np.uint8, np.int8, False),
}
"""Types of activations and weights, and whether the output is rounded."""


def convolution(activations: Any, weights: Any, rounded: bool) -> bytes:
    """One convolution of 3 x 3, 128 to 128 channels at 64 x 64, with quantizers in the form that documents show."""
    random, nodes, constants = np.random.default_rng(0), [], []

    def constant(name: str, array: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(array, name))
        return name

    def through(value: str, kind: Any) -> str:
        middle = np.iinfo(kind).max // 2 + 1 if np.iinfo(kind).min == 0 else 0
        ends = [
            constant(f"{value}_scale", np.float32(8 / np.iinfo(kind).max)),
            constant(f"{value}_zero", np.array(middle, kind)),
        ]
        nodes.append(helper.make_node("QuantizeLinear", [value, *ends], [f"{value}_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{value}_q", *ends], [f"{value}_dq"]))
        return f"{value}_dq"

    image, kernel = "in", constant("w", random.normal(0, 0.03, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32))
    if weights is not None:
        zero = 128 if weights is np.uint8 else 0
        constant("w_int", (random.integers(-127, 128, (CHANNELS, CHANNELS, 3, 3)) + zero).astype(weights))
        constant("w_scale", np.full(CHANNELS, 0.001, np.float32))
        constant("w_zero", np.full(CHANNELS, zero, weights))
        nodes.append(helper.make_node("DequantizeLinear", ["w_int", "w_scale", "w_zero"], ["w_dq"], axis=0))
        image, kernel = through("in", activations), "w_dq"
    nodes.append(helper.make_node("Conv", [image, kernel], ["made"], pads=[1, 1, 1, 1]))
    output_name = through("made", activations) if rounded else "made"
    nodes.append(helper.make_node("Relu", [output_name], ["out"]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, CHANNELS, EDGE, EDGE]) for n in ("in", "out")]
    graph = helper.make_graph(nodes, "convolution", ends[:1], ends[1:], constants)
    return onnx.helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def player(model: bytes, threads: int) -> tuple[Callable[[], object], str]:
    """What plays a file once, and the operators that onnxruntime made of it."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads, settings.log_severity_level = threads, 3
    with tempfile.NamedTemporaryFile(suffix=".onnx") as optimized:
        settings.optimized_model_filepath = optimized.name
        session = ort.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        left = [node.op_type for node in onnx.load(optimized.name).graph.node]
    feed = {"in": np.random.default_rng(1).normal(0, 1, (1, CHANNELS, EDGE, EDGE)).astype(np.float32)}
    return lambda: session.run(None, feed), " ".join(left)


def forms(threads: int, seconds: float) -> None:
    """Print how long each form of the convolution takes."""
    players = {name: player(convolution(*form), threads) for name, form in FORMS.items()}
    took = in_turns({name: play for name, (play, _) in players.items()}, seconds)
    rows = [[name, f"{ms:.2f}", f"{took['fp32'] / ms:.2f}", players[name][1]] for name, ms in took.items()]
    output.table(
        ["form", "ms", "fp32 / this", "operators"],
        rows,
        f"onnxruntime, 3 x 3, 128 channels, 64 x 64, {threads} threads",
    )


def profiled(path: Path, threads: int, frames: int = 12) -> dict[str, float]:
    """Milliseconds a frame by operator, by onnxruntime's own profiler; the first frames are not counted."""
    with tempfile.TemporaryDirectory() as folder:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads, settings.log_severity_level = threads, 3
        settings.enable_profiling, settings.profile_file_prefix = True, f"{folder}/profile"
        session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        (port,) = session.get_inputs()
        kind = np.uint8 if "uint8" in port.type else np.float32
        feed = {port.name: np.random.default_rng(0).integers(0, 256, port.shape).astype(kind)}
        for _ in range(frames):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    kernels = [e for e in events if e.get("cat") == "Node" and e["name"].endswith("_kernel_time")]
    kernels = kernels[len(kernels) // 3 :]
    ms_by_operator: dict[str, float] = defaultdict(float)
    for event in kernels:
        ms_by_operator[event["args"]["op_name"]] += event["dur"] / 1000 / (frames * 2 / 3)
    return dict(sorted(ms_by_operator.items(), key=lambda item: -item[1]))


def without_norms(model: ir.Model) -> ir.Model:
    """The graph with its instance norms passed by: it paints nonsense in the time of all else."""
    bare = model.clone()
    for node in [n for n in bare.graph if n.op_type == "InstanceNormalization"]:
        node.outputs[0].replace_all_uses_with(node.inputs[0])
        bare.graph.remove(node, safe=True)
    return bare


def whole(name: str, threads: int, seconds: float) -> None:
    """Print a generator's time by operator in onnxruntime, and of LiteRT with and without norms."""
    module, ranges = generator(name)
    graph, pictures = export(module, 256, 256, ranges), read_eval_set(None, 256, 256)

    def emitted(model: ir.Model, target: str, precision: str, path: Path) -> Path:
        names = registry.for_precision(TARGETS[target].rewrites, precision)
        model = model.clone()
        if precision == "int8":
            plan = Plan(
                (
                    *default_plan("int8").rules,
                    *rules_for_few_inputs(model, TARGETS[target].min_int8_input_channels, "int8"),
                )
            )
            model = quantize(
                model, plan, pictures.calibration, TARGETS[target].quantizers, lambda m: registry.apply(m, names)
            )
        else:
            registry.apply(model, names)
        path = path.with_suffix(TARGETS[target].suffix)
        emitter(target).emit(model, precision, Labels("kernels"), path)
        return path

    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        profiles = {p: profiled(emitted(graph, "onnx", p, folder / f"onnx-{p}"), threads) for p in ("fp32", "int8")}
        rows = [
            [kind, *(f"{ms_by_operator.get(kind, 0):.2f}" for ms_by_operator in profiles.values())]
            for kind in dict.fromkeys(kind for ms_by_operator in profiles.values() for kind in list(ms_by_operator)[:8])
        ]
        rows.append(["all", *(f"{sum(ms_by_operator.values()):.2f}" for ms_by_operator in profiles.values())])
        output.table(["operator", "fp32 ms", "int8 ms"], rows, f"onnxruntime on {Path(name).stem}, {threads} threads")
        plays, sessions = {}, []
        for kind, model in (("with norms", graph), ("without", without_norms(graph))):
            for precision in ("fp32", "int8"):
                session = open_artifact(
                    emitted(model, "tflite", precision, folder / f"{kind[:4]}-{precision}"), threads=threads
                )
                sessions.append(session)
                session(pictures.pictures[0])
                plays[f"{precision} {kind}"] = session._loaded[session.size]._player.run
        took = in_turns(plays, seconds)
        output.table(["file", "ms"], [[n, f"{ms:.1f}"] for n, ms in took.items()], f"LiteRT on {Path(name).stem}")
        for session in sessions:
            session.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("generators", nargs="*", help="a fast-style .npz, or the name of an architecture")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    forms(args.threads, args.seconds)
    for name in args.generators:
        whole(name, args.threads, args.seconds)


if __name__ == "__main__":
    main()
