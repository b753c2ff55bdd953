"""Measure a small bundle in the arm64 lab, over ssh, as a user would: ``make lab-pi``."""

import subprocess
import sys
import tempfile
from pathlib import Path

from pocketlens.bench.devices.ssh import open_ssh
from pocketlens.bench.document import Settings
from pocketlens.bench.measure import measure
from pocketlens.bench.subject import Subject
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, small_graph

QUICK = Settings(seconds=0.5, count=6, block_seconds=0.1, warm_seconds=2, answer_seconds=120)


def main() -> None:
    config = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        subjects = []
        given = picture(64, 64)
        for target, suffix, runtime in (("onnx", ".onnx", "onnxruntime"), ("tflite", ".tflite", "litert")):
            path = Path(folder) / f"small{suffix}"
            emitter(target).emit(small_graph(64, 64), "fp32", Labels("small"), path)
            with open_artifact(path, runtime, 1) as session:
                expected = session(given)
            subjects.append(Subject(f"{target}-fp32-64x64", path, target, "fp32", runtime, given, expected, 50.0, 1))
        document = measure(subjects, QUICK, lambda one: print(one.stage, one.runtime), open_ssh("ssh://lab-pi", config))
    here = document.environment
    print(f"{here.device}: {here.host.machine}, {here.host.os}, emulated: {here.emulated}, {here.host.packages}")
    for result in document.subjects:
        print(result.label, result.failure or result.skipped or f"{len(result.rounds)} rounds", result.check)
        assert result.failure is None and result.skipped is None and result.rounds
    assert here.emulated and here.host.machine == "aarch64"
    left = ["ssh", "-F", str(config), "lab-pi", "ls ~/.cache/pocketlens-bench"]
    names = subprocess.run(left, capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in names if name.startswith("run-")], names


if __name__ == "__main__":
    main()
