"""Our p50 beside other tools' on the same artifact, in turns: ``make bench-agreement``.

What is compared is the inference time (until the output has been read back), which is what the others report. Each tool
runs several times, ours and theirs alternating, and the median of the ratios of neighbours counts.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pocketlens.bench import statistics as ours
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import BenchmarkCase, measure
from pocketlens.converters.emitter import Labels, emitter
from tests.generators import picture, small_graph

SIZE, ROUNDS, SECONDS, THREADS = 256, 7, 1.0, 2
BIN = Path(sys.executable).parent


def harness(path: Path, runtime: str) -> float:
    subject = BenchmarkCase("one", path, path.suffix, "fp32", runtime, picture(SIZE, SIZE), threads=THREADS)
    settings = BenchmarkSettings(seconds=SECONDS, count=20, block_seconds=0.5, warm_seconds=2)
    (result,) = measure([subject], settings).results
    assert result.failure is None, result.failure
    return ours.percentile(ours.inferences(result.blocks), 50)


def loop(path: Path) -> float:
    script = f"""
import time, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = {THREADS}
session = ort.InferenceSession({str(path)!r}, options, providers=["CPUExecutionProvider"])
given = session.get_inputs()[0]
x = np.random.default_rng(0).uniform(0, 255, given.shape).astype(np.float32)
for _ in range(10): session.run(None, {{given.name: x}})
times, end = [], time.perf_counter() + {SECONDS}
while time.perf_counter() < end:
    start = time.perf_counter(); session.run(None, {{given.name: x}}); times.append(time.perf_counter() - start)
print(1000 * float(np.median(times)))
"""
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def benchmark_app(path: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(str(BIN / "benchmark_app"), "-m", str(path), "-d", "CPU", "-hint", "none", "-nthreads", str(THREADS)),
            *(
                "-nstreams",
                "1",
                "-nireq",
                "1",
                "-api",
                "sync",
                "-infer_precision",
                "f32",
                "-t",
                str(max(1, round(SECONDS))),
            ),
            *("-report_type", "average_counters", "-report_folder", folder, "-json_stats"),
        ]
        subprocess.run(command, capture_output=True, check=True)
        told = json.loads((Path(folder) / "benchmark_report.json").read_text())
    return float(told["execution_results"]["latency (ms)"])


def litert_benchmark(path: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "result.json"
        command = [
            *(str(BIN / "litert-benchmark"), f"--model={path}", f"--num_threads={THREADS}", "--num_runs=60"),
            *("--warmup_runs=10", f"--result_json={target}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert target.exists(), done.stderr[-500:]
        return float(json.loads(target.read_text())["latency"]["median_ms"])


def main() -> None:
    pairs: list[tuple[str, str, str, Callable[[Path], float]]] = [
        ("onnx", "onnxruntime", "loop by hand", loop),
        ("openvino", "openvino", "benchmark_app", benchmark_app),
        ("tflite", "litert", "litert-benchmark", litert_benchmark),
    ]
    suffixes = {"onnx": ".onnx", "openvino": ".xml", "tflite": ".tflite"}
    print(f"{'runtime':<12} {'beside':<18} {'ours ms':>8} {'theirs':>8} {'ratio':>7}")
    far = 0
    with tempfile.TemporaryDirectory() as folder:
        graph = small_graph(SIZE, SIZE)
        for target, runtime, name, other in pairs:
            path = Path(folder) / f"{target}{suffixes[target]}"
            emitter(target).emit(graph, "fp32", Labels("small"), path)
            mine, theirs = [], []
            for _ in range(ROUNDS):
                mine.append(harness(path, runtime))
                theirs.append(other(path))
                time.sleep(0.2)
            one, two = statistics.median(mine), statistics.median(theirs)
            # Of each pair, then the median: what slows the machine down for a while slows both of a pair.
            ratio = statistics.median(a / b for a, b in zip(mine, theirs, strict=True))
            agrees = abs(ratio - 1) <= 0.05
            far += not agrees
            print(
                f"{runtime:<12} {name:<18} {one:8.3f} {two:8.3f} {ratio:7.3f} {'' if agrees else 'more than 5 % apart'}"
            )
            print(
                f"{'':<12} each time          {np.round(mine, 2).tolist()} {np.round(theirs, 2).tolist()}", flush=True
            )
    sys.exit(1 if far else 0)


if __name__ == "__main__":
    main()
