"""What pictures of other sizes, and frames of cameras, cost beside the bare call; as scaled here, and as Pillow scales.

    make bench-sizes BUNDLE=demo/cartoon.bundle

All of them take turns in one process. *Adds* is the difference of the medians, or of the smallest times with
``--smallest``. *CPU* is the time that all cores together spend on scaling there and back, the smallest of all turns:
other work on the machine changes it least. The score is the PSNR of scaling there and back against the same kernel in
float64.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import pocketlens
from benchmarks.shim import HANDS, runs
from pocketlens import YuvFrame, images
from pocketlens.cli import output
from pocketlens.images import Picture
from pocketlens.pipeline.eval_set import SHIPPED
from pocketlens.quality import psnr
from pocketlens.runtimes.scaling import scale
from pocketlens.runtimes.session import Session, open_artifact
from tests.runtimes.test_scaling import exact

SIZES = ((480, 640), (1080, 1920))


def with_pillow(picture: Picture, height: int, width: int, threads: int = 1) -> Picture:
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC), np.uint8)


def in_turns(calls: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in calls}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, call in calls.items():
            for _ in range(2):  # the first is not counted: the call before it was another's
                start = time.perf_counter()
                call()
                took[name].append(1000 * (time.perf_counter() - start))
            del took[name][-2]
    return took


def cpu(resize: Callable[..., Picture], picture: Picture, inner: tuple[int, int]) -> float:
    """CPU time of scaling there and back, on one thread, in ms."""
    took = []
    for _ in range(20):
        start = time.process_time()
        resize(resize(picture, *inner), *picture.shape[:2])
        took.append(1000 * (time.process_time() - start))
    return min(took)


def scores(size: tuple[int, int], inner: tuple[int, int]) -> tuple[float, float]:
    """The worst shipped picture's PSNR against exact scaling, there and back: ours and Pillow's, in dB."""
    pictures = [images.fill(images.read(path), *size) for path in images.folder(SHIPPED / "judge")]
    found = []
    for resize in (scale, with_pillow):
        values = []
        for picture in pictures:
            wanted = exact(np.rint(exact(picture, *inner)).astype(np.uint8), *size)
            values.append(psnr(resize(resize(picture, *inner), *size), wanted.astype(np.float32)))
        found.append(min(values))
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--smallest", action="store_true")
    args = parser.parse_args()
    middle = np.min if args.smallest else np.median
    opened, rows = pocketlens.open_bundle(args.bundle), []
    for runtime in HANDS:
        target = {"litert": "tflite", "onnxruntime": "onnx"}.get(runtime, runtime)
        artifact = next((a for a in opened.manifest.artifacts if (a.target, a.precision) == (target, "fp32")), None)
        if artifact is None:  # a bundle of fewer targets
            continue
        for height, width in SIZES:
            with open_artifact(opened.path_of(artifact), runtime, args.threads) as session:
                picture = images.fill(images.read(images.folder(SHIPPED / "judge")[0]), height, width)
                frame = YuvFrame(np.resize(picture[..., 0], (height * 3 // 2, width)), "nv12")
                bare = runs(session, np.zeros((*session.size, 3), np.uint8))

                def before(play: Session = session, image: Picture = picture) -> None:
                    with_pillow(play(with_pillow(image, *play.size)), *image.shape[:2])

                calls = {
                    "bare": bare,
                    "before": before,
                    "now": lambda play=session, image=picture: play(image),
                    "nv12": lambda play=session, image=frame: play(image),
                }
                took = {name: float(middle(values)) for name, values in in_turns(calls, args.seconds).items()}
                cpus = [cpu(resize, picture, session.size) for resize in (with_pillow, scale)]
                score = scores((height, width), session.size)
            adds = {name: took[name] - took["bare"] for name in ("before", "now", "nv12")}
            cells = [f"{took['bare']:.2f}", *(f"{value:.2f}" for value in adds.values())]
            cells += [f"{value:.1f}" for value in (*cpus, cpus[0] / cpus[1], *score)]
            rows.append([runtime, f"{width} x {height}", *cells])
    columns = ["runtime", "picture", "bare ms", "Pillow adds", "adds", "NV12 adds"]
    columns += ["CPU ms, Pillow", "CPU ms", "ratio", "dB", "dB, Pillow"]
    output.table(columns, rows, title=f"{args.threads} threads, {'smallest' if args.smallest else 'median'}")


if __name__ == "__main__":
    main()
