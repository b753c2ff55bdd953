"""Our flicker beside ColorVideoVDP's score, on the int8 files of a filter that ships.

    make bench-flicker                                   # the environment .flicker, then this
    python -m benchmarks.flicker cartoon --python .flicker/bin/python

The clip is the one that a build uses: a portrait, pan, zoom, rest, and the sensor's noise. Its frames are compared with
those of the trained filter; the zero is that filter on the same clip with more noise. Four clips are made by hand: a
pulse of the whole picture, a change as large in fine noise, a strip that pulses, and a tint that stays.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pocketlens
from pocketlens import quality
from pocketlens.images import Picture, to_uint8
from pocketlens.models.source import resolve
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.recipe import Recipe

TARGETS = ("onnx", "openvino", "tflite", "coreml")
SIDE, FPS = 256, 30
RECIPE = """
[filter]
name = "{name}"
source = "builtin:{name}"
sizes = [[256, 256]]
license = "Apache-2.0"
[targets]
{targets}
[accelerators]
litert_gpu = "off"
"""


def clips(name: str, folder: Path) -> dict[str, list[Picture]]:
    """What is scored, by name; ``expected`` is the trained filter's."""
    source, frames = resolve(f"builtin:{name}", base=Path()), read_eval_set(None, SIDE, SIDE).clip
    teacher = teacher_of(source)
    expected = [to_uint8(teacher(frame)) for frame in frames]
    random = np.random.default_rng(1)
    noisy = [to_uint8(frame + random.normal(0, 2, frame.shape)) for frame in frames]
    played = {"expected": expected, "the clip's own noise": [to_uint8(teacher(frame)) for frame in noisy]}
    recipe = Recipe.parse(RECIPE.format(name=name, targets="\n".join(f'{t} = ["int8"]' for t in TARGETS)))
    made = pocketlens.build(recipe, folder / "bundle", bench=False)
    for artifact in made.manifest.artifacts:
        with pocketlens.load(made.path, artifact=artifact.id, measure=False) as session:
            played[artifact.id] = [session(frame) for frame in frames]
    signs = [1 if i % 2 else -1 for i in range(len(frames))]
    edge = np.zeros((SIDE, SIDE, 1))
    edge[:, SIDE // 2 - 8 : SIDE // 2 + 8] = 1
    fine = random.choice([-2.0, 2.0], (len(frames), SIDE, SIDE, 3))
    played["a pulse of 2 of the whole picture"] = _changed(expected, [np.full(1, 2.0 * sign) for sign in signs])
    played["noise of 2 from pixel to pixel"] = _changed(expected, list(fine))
    played["a strip that pulses by 32"] = _changed(expected, [32.0 * sign * edge for sign in signs])
    played["a tint of 2 that stays"] = _changed(expected, [np.full(1, 2.0)] * len(frames))
    return played


def _changed(frames: list[Picture], changes: list[NDArray[np.float64]]) -> list[Picture]:
    return [to_uint8(frame + change) for frame, change in zip(frames, changes, strict=True)]


def scores(played: dict[str, list[Picture]], python: str, folder: Path) -> dict[str, float]:
    """ColorVideoVDP's, in JOD."""
    np.savez(folder / "clips.npz", **{name: np.stack(frames) for name, frames in played.items()})  # type: ignore[arg-type]
    script = Path(__file__).with_name("flicker_score.py")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" or python == sys.executable}
    done = subprocess.run(
        [python, script, folder / "clips.npz", str(FPS)], check=True, capture_output=True, text=True, env=env
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filters", nargs="*", default=["cartoon"])
    parser.add_argument("--python", default=sys.executable, help="one that has cvvdp")
    args = parser.parse_args()
    print(
        "| filter | clip | flicker, worst | flicker, mean | PSNR, dB | ColorVideoVDP, JOD |\n|---|---|---|---|---|---|"
    )
    for name in args.filters:
        with tempfile.TemporaryDirectory() as folder:
            played = clips(name, Path(folder))
            found = scores(played, args.python, Path(folder))
        expected = played.pop("expected")
        for clip, frames in played.items():
            ours = quality.flicker(expected, frames)
            near = min(quality.psnr(t.astype(np.float32), f) for t, f in zip(expected, frames, strict=True))
            print(
                f"| {name} | {clip} | {ours.worst:.2f} | {ours.mean:.2f} | {near:.1f} | {found[clip]:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
