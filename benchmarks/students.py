"""Students beside their teacher: how close their pictures are to the teacher's, and how long a frame takes, in turns in
one run.

    pocketlens build wave.toml -o wave.bundle
    pocketlens build wave-student/recipe.toml -o student.bundle
    python -m benchmarks.students wave.bundle student.bundle pruned.bundle

The first bundle is the teacher's. Scores are against its first file: SSIM's mean over the evaluation pictures and that
of the worst, and PSNR's mean. Times are the median of frames and their 95th percentile.
"""

import argparse
from pathlib import Path

import numpy as np

from pocketlens import quality
from pocketlens.bench import statistics
from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import measure
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.cli import output
from pocketlens.images import Floats, Picture
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.runtimes.adapter import runtime_for
from pocketlens.runtimes.session import open_artifact

TARGETS = ("onnx", "openvino", "tflite")


def cases_of(bundle: Bundle, name: str, target: str, picture: Picture, threads: int) -> list[BenchmarkCase]:
    """A bundle's artifacts of a target, for pictures of this size."""
    return [
        BenchmarkCase(
            f"{name} {artifact.precision}",
            path,
            target,
            artifact.precision,
            runtime_for(path).name,
            picture,
            threads=threads,
        )
        for artifact in bundle.manifest.artifacts
        if artifact.target == target and (artifact.height, artifact.width) == picture.shape[:2]
        for path in (bundle.path_of(artifact),)
    ]


def played(path: Path, pictures: tuple[Picture, ...]) -> list[Floats]:
    """The pictures that a file makes, values 0..255."""
    with open_artifact(path, threads=2, size=pictures[0].shape[:2]) as session:
        return [np.clip(session.floats(picture), 0, 255) for picture in pictures]


def rows(
    cases: list[BenchmarkCase], pictures: tuple[Picture, ...], teacher: list[Floats], seconds: float
) -> list[list[str]]:
    """The table of one target. The first file is the teacher's; the others are compared with it."""
    document = measure(cases, BenchmarkSettings(seconds=seconds, count=20, max_seconds=6 * seconds))
    timed = [statistics.frames(result.blocks) for result in document.results]
    lines = []
    for case, frames, result in zip(cases, timed, document.results, strict=True):
        scores = [quality.compare(t, p) for t, p in zip(teacher, played(case.path, pictures), strict=True)]
        # Block by block: neighbouring blocks met the same state of the machine.
        ratios = [
            np.median(base.frame_ms) / np.median(own.frame_ms)
            for base, own in zip(document.results[0].blocks, result.blocks, strict=False)
        ]
        low, middle, high = (float(np.percentile(ratios, q)) for q in (10, 50, 90))
        lines.append(
            [
                f"{case.target} {case.artifact}",
                f"{np.mean([s.ssim for s in scores]):.3f}, {min(s.ssim for s in scores):.3f}",
                f"{np.mean([s.psnr for s in scores]):.1f}",
                f"{statistics.percentile(frames, 50):.1f}, {statistics.percentile(frames, 95):.1f}",
                f"{middle:.1f} ({low:.1f}-{high:.1f})",
            ]
        )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, help="the teacher's, then students'")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=4, help="timed for each file")
    args = parser.parse_args()
    opened = [(open_bundle(path), path.name.removesuffix(".bundle")) for path in args.bundles]
    pictures = read_eval_set(None, args.size, args.size).pictures
    cases = [
        [c for bundle, name in opened for c in cases_of(bundle, name, target, pictures[0], args.threads)]
        for target in TARGETS
    ]
    teacher = played(next(of_target[0] for of_target in cases if of_target).path, pictures)
    lines = [line for of_target in cases if of_target for line in rows(of_target, pictures, teacher, args.seconds)]
    output.table(
        ["file", "SSIM", "PSNR dB", "ms", "times faster"], lines, f"{args.size}x{args.size}, {args.threads} threads"
    )


if __name__ == "__main__":
    main()
