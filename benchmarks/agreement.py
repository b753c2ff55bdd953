"""The p50 of our harness beside that of other tools, on the same artifact, in turns: ``make bench-agreement``.

The inference time is compared (until the output has been read back), because the other tools report that one. Each tool
runs several times, ours and theirs in turns. The result is the median of the ratios of neighbouring runs.
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

from pocketlens.bench import statistics as bench_statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import measure
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.targets import TARGETS
from tests.generators import picture, small_graph

SIZE, REPEATS, SECONDS, THREADS = 256, 7, 1.0, 2
BIN = Path(sys.executable).parent


def harness(path: Path, runtime: str) -> float:
    case = BenchmarkCase("one", path, path.suffix, "fp32", runtime, picture(SIZE, SIZE), threads=THREADS)
    settings = BenchmarkSettings(seconds=SECONDS, count=20, block_seconds=0.5, warm_seconds=2)
    (result,) = measure([case], settings).results
    assert result.failure is None, result.failure
    return bench_statistics.percentile(bench_statistics.inferences(result.blocks), 50)


def loop(path: Path) -> float:
    script = f"""
import time, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = {THREADS}
session = ort.InferenceSession({str(path)!r}, options, providers=["CPUExecutionProvider"])
image = session.get_inputs()[0]
x = np.random.default_rng(0).uniform(0, 255, image.shape).astype(np.float32)
for _ in range(10): session.run(None, {{image.name: x}})
times, end = [], time.perf_counter() + {SECONDS}
while time.perf_counter() < end:
    start = time.perf_counter(); session.run(None, {{image.name: x}}); times.append(time.perf_counter() - start)
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
        report = json.loads((Path(folder) / "benchmark_report.json").read_text())
    return float(report["execution_results"]["latency (ms)"])


def litert_benchmark(path: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "result.json"
        command = [
            *(str(BIN / "litert-benchmark"), f"--model={path}", f"--num_threads={THREADS}", "--num_runs=60"),
            *("--warmup_runs=10", f"--result_json={target}"),
        ]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert target.exists(), process.stderr[-500:]
        return float(json.loads(target.read_text())["latency"]["median_ms"])


def main() -> None:
    pairs: list[tuple[str, str, str, Callable[[Path], float]]] = [
        ("onnx", "onnxruntime", "loop by hand", loop),
        ("openvino", "openvino", "benchmark_app", benchmark_app),
        ("tflite", "litert", "litert-benchmark", litert_benchmark),
    ]
    print(f"{'runtime':<12} {'beside':<18} {'ours ms':>8} {'theirs':>8} {'ratio':>7}")
    disagreements = 0
    with tempfile.TemporaryDirectory() as folder:
        graph = small_graph(SIZE, SIZE)
        for target, runtime, name, play_theirs in pairs:
            path = Path(folder) / f"{target}{TARGETS[target].suffix}"
            emitter(target).emit(graph, "fp32", Labels("small"), path)
            ours_ms, theirs_ms = [], []
            for _ in range(REPEATS):
                ours_ms.append(harness(path, runtime))
                theirs_ms.append(play_theirs(path))
                time.sleep(0.2)
            ours_median, theirs_median = statistics.median(ours_ms), statistics.median(theirs_ms)
            # Of each pair, then the median: what slows the machine down for a while slows both of a pair.
            ratio = statistics.median(a / b for a, b in zip(ours_ms, theirs_ms, strict=True))
            agrees = abs(ratio - 1) <= 0.05
            disagreements += not agrees
            note = "" if agrees else "more than 5 % apart"
            print(f"{runtime:<12} {name:<18} {ours_median:8.3f} {theirs_median:8.3f} {ratio:7.3f} {note}")
            print(
                f"{'':<12} each time          {np.round(ours_ms, 2).tolist()} {np.round(theirs_ms, 2).tolist()}",
                flush=True,
            )
    sys.exit(1 if disagreements else 0)


if __name__ == "__main__":
    main()
