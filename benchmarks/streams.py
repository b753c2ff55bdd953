"""A clip through one session of all threads, and through a session of one thread for each core, in turns.

    make bench-streams BUNDLE=demo/cartoon.bundle

*Ideal* is what the cores could do if they were never idle: *cores / (decode + filter + encode)*, each in CPU time on
one core, alone. A camera is FFmpeg's test picture at 30 frames a second.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shim import filmed
from pocketlens import load, machine
from pocketlens.cli import output
from pocketlens.images import Picture
from pocketlens.runtimes.session import Session
from pocketlens.runtimes.video import stylize
from pocketlens.runtimes.video.source import open_camera, open_file


def ideal(clip: Path, session: Session, target: Path) -> tuple[float, str]:
    """Frames a second, and the CPU time of each stage, as text."""

    def same(image: Picture) -> Picture:
        return image

    began, source = time.process_time(), open_file(clip)
    source.at = session.computes_at
    frames = sum(1 for _ in source)
    decode = (time.process_time() - began) / frames
    source.close()
    began, source = time.process_time(), open_file(clip)
    source.at = session.computes_at
    stylize(same, source, target)
    encode = (time.process_time() - began) / frames - decode
    picture = np.zeros((*session.size, 3), np.uint8)
    began = time.process_time()
    for _ in range(20):
        session(picture)
    play = (time.process_time() - began) / 20
    stages = " + ".join(f"{1000 * seconds:.1f}" for seconds in (decode, play, encode))
    return machine.cores() / (decode + play + encode), f"decode + filter + encode {stages} CPU ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    cores, rows = machine.cores(), []
    with tempfile.TemporaryDirectory() as temporary:
        clip, target = Path(temporary) / "in.mp4", Path(temporary) / "out.mp4"
        filmed(clip, args.frames)
        with (
            load(args.bundle, threads=1, measure=False) as one,
            load(args.bundle, threads=cores, measure=False) as wide,
        ):
            several = [one, *(one.another() for _ in range(cores - 1))]
            best, stages = ideal(clip, one, target)
            for _ in range(args.rounds):
                for name, sessions in (("one session", [wide]), ("one each core", several)):
                    cpu = time.process_time()
                    done = stylize(sessions, open_file(clip), target)
                    cpu = time.process_time() - cpu
                    costs = [f"{value:.1f}" for value in (done.decode_ms, done.filter_ms, done.encode_ms)]
                    by_cpu = done.frames * cores / cpu
                    rates = [f"{done.fps:.1f}", f"{cpu / done.seconds:.2f}", f"{100 * by_cpu / best:.0f}"]
                    rows.append([name, *rates, *costs])
            camera = stylize(wide, open_camera("lavfi:testsrc2=size=640x480:rate=30:duration=4"), target)
    columns = ["way", "fps", "cores used", "% of ideal for each core used", "decode ms", "filter ms", "encode ms"]
    output.table(columns, rows, title=f"640 x 480, {args.frames} frames; {stages}: ideal {best:.1f} fps")
    if camera.age_ms is not None:
        age = f"{camera.age_ms[0]:.0f} ms, p95 {camera.age_ms[1]:.0f} ms"
        output.say(f"camera: {camera.frames} frames, {camera.dropped} dropped, a frame's age at its end {age}")


if __name__ == "__main__":
    main()
