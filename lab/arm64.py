"""A small filter in LiteRT and onnxruntime on emulated arm64, picture for picture beside this machine's.

    make lab-arm64

``lab/pi.sh`` makes the arm64 Debian on the first call and says what it needs. Exit code 1 if a picture differs.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from pocketlens.quality import largest_error, psnr
from pocketlens.runtimes.session import open_artifact
from tests.converters.tflite.harness import emit_bytes
from tests.generators import picture, small_graph

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
LAB = Path(os.environ.get("POCKETLENS_LAB") or CACHE / "pocketlens/lab")
INSIDE = "/opt/arm64"
LEAST_PSNR, MOST = 60.0, 1.0
"""In dB, the tolerance of golden pictures of fp32 artifacts; and of one value of 255."""
PLAY = """
import json, platform, sys
import numpy as np
from pathlib import Path
from pocketlens.runtimes.session import open_artifact
facts = [platform.machine()]
for name in ("small.tflite", "small.onnx"):
    with open_artifact(Path(sys.argv[1]) / name, threads=1) as session:
        pictures = np.load(Path(sys.argv[1]) / "pictures.npy")
        np.save(Path(sys.argv[1]) / (name + ".npy"), np.stack([session(image) for image in pictures]))
        facts.append(session.runtime_info.document())
print(json.dumps(facts))
"""


def main() -> int:
    machine_setup = subprocess.run([HERE / "pi.sh", "root"], check=False)
    if machine_setup.returncode:  # it has printed why
        return machine_setup.returncode
    folder = LAB / "pi" / INSIDE.lstrip("/")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        HERE.parent / "pocketlens", folder / "pocketlens", ignore=shutil.ignore_patterns("__pycache__", "shipped")
    )
    from pocketlens.converters import graph as hub

    graph = small_graph(64, 64)
    (folder / "small.tflite").write_bytes(emit_bytes(graph))
    hub.save(graph, folder / "small.onnx")
    (folder / "play.py").write_text(PLAY)
    pictures = np.stack([picture(64, 64, seed) for seed in range(3)])
    np.save(folder / "pictures.npy", pictures)
    environment = {**os.environ, "POCKETLENS_SITE": f"/opt/site:{INSIDE}"}
    command = [HERE / "pi.sh", "run", "/usr/bin/python3.11", f"{INSIDE}/play.py", INSIDE]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        print(process.stdout[-1000:], process.stderr[-2000:], file=sys.stderr)
        return 1
    machine, *facts = json.loads(process.stdout.splitlines()[-1])
    worst = 0
    for name, fact in zip(("small.tflite", "small.onnx"), facts, strict=True):
        there = np.load(folder / f"{name}.npy")
        with open_artifact(folder / name, threads=1) as session:
            here = np.stack([session(image) for image in pictures])
        reached = min(psnr(a, b) for a, b in zip(here, there, strict=True))
        error = largest_error(here, there)
        holds = machine == "aarch64" and reached >= LEAST_PSNR and error <= MOST
        worst |= not holds
        versions = f"{fact['runtime']} {fact['version']} on {machine}"
        print(f"{versions}: {reached:.1f} dB, largest difference {error:g} of 255: {'pass' if holds else 'fail'}")
    return worst


if __name__ == "__main__":
    sys.exit(main())
