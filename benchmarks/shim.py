"""What ``session(image)`` costs over the bare runtime, and beside a loop written by hand; a clip's rate; and its
memory.

    make bench-shim BUNDLE=demo/cartoon.bundle

Everything that is compared takes turns in one process, a few frames each. *Bare* is the runtime's call alone on tensors
that are ready. *By hand* is what its documentation shows: uint8 picture to tensor, call, tensor to uint8 picture. A
clip is played with one thread and with --threads: with as many threads as cores the inference leaves none for decoding
and encoding, whose CPU time is shown. *Bare, beside* is the bare call while another process decodes and encodes as many
frames a second as were streamed: what the cores allow.
"""

import argparse
import gc
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import pocketlens
from pocketlens import images
from pocketlens.cli import output
from pocketlens.models.zoo import builtin
from pocketlens.pipeline.eval_set import SHIPPED
from pocketlens.runtimes.session import Session, open_artifact

Frame = Callable[[], object]
ALLOWED_MS, ALLOWED_SHARE = 0.3, 0.05


def litert(path: Path, image: np.ndarray, threads: int) -> tuple[Frame, Frame]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    input_index, output_index = (
        interpreter.get_input_details()[0]["index"],
        interpreter.get_output_details()[0]["index"],
    )

    def by_hand() -> np.ndarray:
        interpreter.set_tensor(input_index, image[None].astype(np.float32))
        interpreter.invoke()
        return np.clip(np.round(interpreter.get_tensor(output_index)[0]), 0, 255).astype(np.uint8)

    by_hand()
    return interpreter.invoke, by_hand


def onnxruntime(path: Path, image: np.ndarray, threads: int) -> tuple[Frame, Frame]:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    ready = {name: np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32))}

    def by_hand() -> np.ndarray:
        tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32))
        return np.clip(np.round(session.run(None, {name: tensor})[0][0]), 0, 255).astype(np.uint8).transpose(1, 2, 0)

    return lambda: session.run(None, ready), by_hand


def openvino(path: Path, image: np.ndarray, threads: int) -> tuple[Frame, Frame]:
    import openvino as ov

    settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
    compiled = ov.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()

    def by_hand() -> np.ndarray:
        tensor = np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32))
        return np.clip(np.round(compiled([tensor])[0][0]), 0, 255).astype(np.uint8).transpose(1, 2, 0)

    by_hand()
    request.infer([np.ascontiguousarray(image.transpose(2, 0, 1)[None].astype(np.float32))])
    return request.infer, by_hand


HANDS = {"litert": litert, "onnxruntime": onnxruntime, "openvino": openvino}


def in_turns(frames: dict[str, Frame], seconds: float) -> dict[str, float]:
    """The median of each, in ms."""
    took: dict[str, list[float]] = {name: [] for name in frames}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, frame in frames.items():
            frame()  # not counted: the frame before it was another's
            for _ in range(3):
                start = time.perf_counter()
                frame()
                took[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(times)) for name, times in took.items()}


def resident_mb() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096 / 1e6


def growth(session: Session, frames: int) -> tuple[float, float]:
    """Resident memory in MB after the first tenth of the frames, and after all of them."""
    image = np.random.default_rng(0).integers(0, 256, (*session.size, 3), dtype=np.uint8)
    before = 0.0
    for i in range(frames):
        session(image)
        if i == frames // 10:
            gc.collect()
            before = resident_mb()
    return before, resident_mb()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--only", choices=("overhead", "stream", "memory"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = args.bundle or Path(folder) / "cartoon.bundle"
        if not bundle.exists():
            pocketlens.build(builtin("cartoon").recipe, bundle, bench=False)
        if args.only in (None, "overhead"):
            overhead(bundle, args.threads, args.seconds)
        if args.only in (None, "stream"):
            for count in sorted({1, args.threads}):
                stream(bundle, Path(folder), count, args.seconds)
        if args.only in (None, "memory"):
            memory(Path(folder), args.frames)


def overhead(bundle: Path, threads: int, seconds: float) -> None:
    rows = []
    opened = pocketlens.open_bundle(bundle)
    for runtime, hand in HANDS.items():
        target = {"litert": "tflite", "onnxruntime": "onnx"}.get(runtime, runtime)
        artifact = next(a for a in opened.manifest.artifacts if (a.target, a.precision) == (target, "fp32"))
        path = opened.path_of(artifact)
        image = np.random.default_rng(0).integers(0, 256, (artifact.height, artifact.width, 3), dtype=np.uint8)
        # One after the other: two thread pools in one process would disturb each other.
        with open_artifact(path, runtime, threads) as session:
            painted = session(image)
            bare = runs(session, image)
            ours = in_turns({"bare": bare, "session": lambda s=session, i=image: s(i)}, seconds / 2)
        bare, by_hand = hand(path, image, threads)
        assert np.abs(painted.astype(int) - by_hand()).max() <= 1
        hands = in_turns({"bare": bare, "by hand": by_hand}, seconds / 2)
        del bare, by_hand
        frame = np.ascontiguousarray(np.resize(image, (480, 640, 3)))
        with open_artifact(path, runtime, threads) as session:
            large = in_turns({"bare": runs(session, image), "frame": lambda s=session, f=frame: s(f)}, seconds / 4)
        session_ms, by_hand_ms = ours["session"] - ours["bare"], hands["by hand"] - hands["bare"]
        holds = session_ms <= max(ALLOWED_MS, ALLOWED_SHARE * ours["bare"])
        shown = [f"{ms:.2f}" for ms in (ours["bare"], session_ms, hands["bare"], by_hand_ms)]
        rows.append(
            [
                runtime,
                *shown,
                f"{100 * session_ms / ours['bare']:.1f}",
                "pass" if holds else "fail",
                f"{large['frame'] - large['bare']:.2f}",
            ]
        )
    columns = [
        "runtime",
        "bare ms",
        "session adds",
        "bare ms, by hand",
        "by hand adds",
        "%",
        "5 % or 0.3 ms",
        "640 x 480 adds",
    ]
    output.table(columns, rows, title=f"one frame, {threads} threads, median")


def runs(session: Session, image: np.ndarray) -> Frame:
    """The runtime's own call on the artifact as it is, whose tensors hold this picture."""
    session.floats(image)
    loaded = session._loaded[session.size]
    return (loaded._exact or loaded)._player.run


def filmed(path: Path, frames: int) -> None:
    """A clip of 640 x 480: a portrait under a camera that pans slowly."""
    import av

    picture = images.fill(images.read(images.folder(SHIPPED / "judge")[0]), 720, 960)
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30, options={"crf": "20", "preset": "veryfast"})
        video.height, video.width, video.pix_fmt = 480, 640, "yuv420p"
        for i in range(frames):
            top, left = i % 240, (4 * i // 3) % 320
            seen = np.ascontiguousarray(picture[top : top + 480, left : left + 640])
            out.mux(video.encode(av.VideoFrame.from_ndarray(seen, format="rgb24")))
        out.mux(video.encode())


def paced(clip: Path, size: tuple[int, int], fps: float) -> None:
    """Decode and encode a clip over and over at this many frames a second, and nothing else."""
    from pocketlens.runtimes.video import stylize
    from pocketlens.runtimes.video.source import open_file

    due = time.perf_counter()

    def wait(image: np.ndarray) -> np.ndarray:
        nonlocal due
        due = max(due + 1 / fps, time.perf_counter())
        time.sleep(max(0.0, due - time.perf_counter()))
        return image

    while True:
        source = open_file(clip)
        source.at = lambda height, width: size
        stylize(wait, source, clip.with_name("paced.mp4"))


def stream(bundle: Path, folder: Path, threads: int, seconds: float) -> None:
    """A clip of 640 x 480 in each runtime: frames a second, the bare call's, and the time of decoding and encoding."""
    from pocketlens.runtimes.video import stylize
    from pocketlens.runtimes.video.source import open_file

    def small(image: np.ndarray) -> np.ndarray:
        return image

    rows, clip = [], folder / "in.mp4"
    opened = pocketlens.open_bundle(bundle)
    for runtime in HANDS:
        target = {"litert": "tflite", "onnxruntime": "onnx"}.get(runtime, runtime)
        artifact = next(a for a in opened.manifest.artifacts if (a.target, a.precision) == (target, "fp32"))
        with open_artifact(opened.path_of(artifact), runtime, threads) as session:
            bare = runs(session, np.zeros((*session.size, 3), np.uint8))
            if not clip.exists():
                filmed(clip, max(60, int(1000 * seconds / 4 / in_turns({"bare": bare}, 1.0)["bare"])))
            calls: list[float] = []
            rates: list[float] = []
            beside: list[float] = []
            for _ in range(3):  # in turns, and the median of each
                calls.append(1000 / in_turns({"bare": bare}, seconds / 6)["bare"])
                rates.append(stylize(session, open_file(clip), folder / "out.mp4").fps)
                other = multiprocessing.get_context("spawn").Process(target=paced, args=(clip, session.size, rates[-1]))
                other.start()
                time.sleep(2)  # it imports what it needs
                beside.append(1000 / in_turns({"bare": bare}, seconds / 6)["bare"])
                other.kill()
                other.join()
            began, source = time.process_time(), open_file(clip)
            source.at = session.computes_at
            frames = sum(1 for _ in source)
            decode = 1000 * (time.process_time() - began) / frames
            source.close()
            began, source = time.process_time(), open_file(clip)
            source.at = session.computes_at
            stylize(small, source, folder / "out.mp4")
            both = 1000 * (time.process_time() - began) / frames
        shares = [100 * float(np.median(rates)) / float(np.median(calls_of)) for calls_of in (calls, beside)]
        shown = [f"{np.median(values):.1f}" for values in (calls, beside, rates)]
        rows.append([runtime, *shown, *(f"{values:.0f}" for values in shares), f"{decode:.2f}", f"{both - decode:.2f}"])
    columns = [
        "runtime",
        "bare fps",
        "bare, beside",
        "streamed",
        "% of bare",
        "% beside",
        "decode: CPU ms",
        "encode: CPU ms",
    ]
    output.table(
        columns, rows, title=f"640 x 480 clip of {frames} frames, {threads} threads; decoding and encoding a frame"
    )


def memory(folder: Path, frames: int) -> None:
    from pocketlens.converters import graph as hub
    from tests.converters.tflite.harness import emit_bytes as flatbuffer
    from tests.generators import small_graph

    rows = []
    hub.save(small_graph(64, 64), folder / "small.onnx")
    (folder / "small.tflite").write_bytes(flatbuffer(small_graph(64, 64)))
    for runtime, name in (("litert", "small.tflite"), ("onnxruntime", "small.onnx"), ("openvino", "small.onnx")):
        with open_artifact(folder / name, runtime, 1) as session:
            before, after = growth(session, frames)
        rows.append([runtime, f"{before:.1f}", f"{after:.1f}", "pass" if after <= 1.01 * before else "fail"])
    output.table(
        ["runtime", "MB after a tenth", "MB after all", "flat within 1 %"], rows, title=f"{frames:,} frames of 64 x 64"
    )


if __name__ == "__main__":
    main()
