"""Guided output beside stretching and tiling, at 720 x 1280.

    python -m benchmarks.guided pictures                    # score against the teacher at full size, edges
    python -m benchmarks.guided pictures atelier/oil        # of one filter, or one style of a pack
    python -m benchmarks.guided times                       # in turns: stretched, guided, and the generator alone

Times are those of the processor, summed over its cores, of a session's whole call: from picture to picture. Other
programs on the machine lengthen them less than the time of a clock.

The pictures are the three that judge, a photograph of a motorcycle and drawn ellipses; none was trained on. The last
two have detail of 720 x 1280; the first three are enlarged to it.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import skimage

from pocketlens import images, quality
from pocketlens.converters.emitter import Labels, emitter
from pocketlens.converters.rewrites import registry
from pocketlens.images import Floats, Picture, to_uint8
from pocketlens.models.photographs import photographs
from pocketlens.models.photographs.samples import leaves
from pocketlens.models.source import resolve
from pocketlens.pipeline.eval_set import pure
from pocketlens.pipeline.export import export_graphs
from pocketlens.pipeline.rewrite_selection import names_for
from pocketlens.pipeline.teacher import teacher_of
from pocketlens.runtimes.resizing import stylize_resized
from pocketlens.runtimes.scaling import scale
from pocketlens.runtimes.session import open_artifact

SIZE, SHRINK = (720, 1280), 4
SMALL = (SIZE[0] // SHRINK, SIZE[1] // SHRINK)
FILTERS = ("cartoon", "starry", "atelier/ink", "atelier/oil")
FILES = {"onnx": "guided.onnx", "openvino": "guided.xml", "tflite": "guided.tflite"}


def pictures() -> dict[str, Picture]:
    """By name, of 720 x 1280."""
    judges = [p for p in photographs.table() if p.use == "judge"]
    shown = {p.name: images.fill(photographs.load(p), *SIZE) for p in judges}
    motorcycle = images.read(Path(skimage.__file__).parent / "data/motorcycle_left.png")
    shown["motorcycle"] = images.fill(motorcycle, *SIZE)
    shown["ellipses"] = np.ascontiguousarray(leaves(SIZE[1], np.random.default_rng(3))[: SIZE[0]])
    return shown


def sharpness(expected: Floats, result: Floats) -> float:
    """How steep a picture is where its teacher's 2 % of steepest pixels are, as a share of the teacher's."""
    slopes = []
    for picture in (expected, result):
        down, across = np.gradient(picture @ images.LUMA)
        slopes.append(np.hypot(down, across))
    edges = slopes[0] >= np.percentile(slopes[0], 98)
    return float(slopes[1][edges].mean() / slopes[0][edges].mean())


def measure_pictures(names: list[str]) -> None:
    print("| filter | picture | stretched: dB, edges | tiled | guided | guided, strokes 0.5 | guided, strokes 1 |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        builtin, _, style = name.partition("/")
        source = resolve(f"builtin:{builtin}", base=Path())
        blend = pure(source.styles.index(style), len(source.styles)) if style else ()
        teacher = partial(teacher_of(source), style=blend)
        guided = [teacher_of(source.with_guided_output(SHRINK, strokes)) for strokes in (0.0, 0.5, 1.0)]
        gains = []
        for title, picture in pictures().items():
            expected = teacher(picture)

            def play(part: Picture, height: int, width: int, teacher: partial[Floats] = teacher) -> Picture:
                return scale(to_uint8(teacher(scale(part, *SMALL))), height, width)

            results = [
                stylize_resized(play, SMALL, picture, "stretch"), stylize_resized(play, SMALL, picture, "tile"),
                *(to_uint8(run(picture, blend)) for run in guided),
            ]  # fmt: skip
            scores = [quality.psnr(expected, result.astype(np.float32)) for result in results]
            edges = [sharpness(expected, result.astype(np.float32)) for result in results]
            gains.append(scores[2] - scores[0])
            cells = " | ".join(f"{s:.1f}, {e:.2f}" for s, e in zip(scores, edges, strict=True))
            print(f"| {name} | {title} | {cells} |", flush=True)
        print(f"| {name} | guided over stretched | {np.mean(gains):+.1f} dB ({min(gains):+.1f} to {max(gains):+.1f}) |")


def measure_times(rounds: int, threads: int) -> None:
    source, picture = resolve("builtin:cartoon", base=Path()), pictures()["motorcycle"]
    small = images.resize(picture, *SMALL)
    print("| target | generator alone, ms | stretched, ms | guided, ms | guided / stretched |\n|---|---|---|---|---|")
    for target, name in FILES.items():
        with tempfile.TemporaryDirectory() as folder:
            places = []
            for kind, size in ((source, SMALL), (source.with_guided_output(SHRINK), SIZE)):
                graph = next(export_graphs(kind, *size))
                registry.apply(graph, names_for("safe", target))
                place = Path(folder) / f"{size[0]}-{name}"
                emitter(target).emit(graph, "fp32", Labels("guided"), place)
                places.append(place)
            generator, guided = (open_artifact(place, threads=threads) for place in places)
            with generator, guided:
                plays = (partial(generator, small), partial(generator, picture), partial(guided, picture))
                taken = np.array([[_ms(play) for play in plays] for _ in range(rounds)])
        ratios = np.percentile(taken[:, 2] / taken[:, 1], (25, 50, 75))
        medians, best = np.median(taken, 0), taken.min(0)
        cells = " | ".join(f"{m:.1f} (least {b:.1f})" for m, b in zip(medians, best, strict=True))
        print(f"| {target} | {cells} | {ratios[1]:.2f} ({ratios[0]:.2f}-{ratios[2]:.2f}) |", flush=True)


def _ms(play: partial[Picture]) -> float:
    start = time.process_time()
    play()
    return 1000 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pictures", "times"))
    parser.add_argument("filters", nargs="*", default=list(FILTERS))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if args.what == "pictures":
        measure_pictures(args.filters)
    else:
        measure_times(args.rounds, args.threads)


if __name__ == "__main__":
    main()
