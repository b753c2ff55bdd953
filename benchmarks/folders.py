"""The rate of ``run`` over a folder of pictures, beside what its stages allow, and its memory.

    make bench-folders BUNDLE=demo/cartoon.bundle

The stages are timed one after the other on one core, in CPU time: reading a JPEG, playing it in a session of one
thread, writing the PNG. All cores together can do no more pictures a second than *cores / (read + play + write)*. The
folder is played in turns as ``run`` plays it and as it did before: one picture after the other, in one session of as
many threads as cores. Rates are pictures for each second of CPU time and of the clock.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from pocketlens import images, load, machine
from pocketlens.cli import output
from pocketlens.pipeline.eval_set import SHIPPED
from pocketlens.runtimes.folders import PictureJob, stylize_file, stylize_files


def folder_of(folder: Path, count: int, height: int, width: int) -> list[PictureJob]:
    folder.mkdir()
    sources = [images.read(path) for path in images.folder(SHIPPED / "judge")]
    jobs = []
    for index in range(count):
        picture = images.fill(sources[index % len(sources)], height, width)
        Image.fromarray(picture).save(folder / f"{index:05}.jpg", quality=90)
        jobs.append(PictureJob(folder / f"{index:05}.jpg", folder / f"out/{index:05}.png"))
    return jobs


def cpu_ms(call: Callable[[int], object], count: int) -> float:
    start = time.process_time()
    for index in range(count):
        call(index)
    return 1000 * (time.process_time() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--width", type=int, default=640)
    args = parser.parse_args()
    cores, rows = machine.cores(), []
    with tempfile.TemporaryDirectory() as temporary:
        jobs = folder_of(Path(temporary) / "in", args.pictures, args.height, args.width)
        with load(args.bundle, threads=1) as first, first.another() as second, load(args.bundle, threads=cores) as wide:
            sessions = [first, second, *(first.another() for _ in range(cores - 2))][:cores]
            picture, some = images.read(jobs[0].source), min(20, args.pictures)
            stages = [
                cpu_ms(lambda index: images.read(jobs[index].source), some),
                cpu_ms(lambda _: first(picture), some),
                cpu_ms(lambda index: images.write(jobs[index].target, picture), some),
            ]
            ideal = 1000 * cores / sum(stages)

            def before() -> None:
                for job in jobs:
                    stylize_file(wide, job)

            for _ in range(args.rounds):
                for name, play in (("before", before), ("now", lambda: list(stylize_files(sessions, jobs)))):
                    cpu, clock = time.process_time(), time.perf_counter()
                    play()
                    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
                    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
                    by_cpu = args.pictures * cores / cpu
                    rates = [f"{args.pictures / clock:.1f}", f"{by_cpu:.1f}", f"{100 * by_cpu / ideal:.0f}"]
                    rows.append([name, *rates, f"{cpu / clock:.2f}", f"{memory:.0f}"])
    columns = ["way", "a second", "a second of all cores", "% of ideal", "cores used", "peak MB"]
    title = f"{args.pictures} of {args.width} x {args.height}; read {stages[0]:.1f} + play {stages[1]:.1f} + write"
    output.table(columns, rows, title=f"{title} {stages[2]:.1f} CPU ms: at most {ideal:.1f} a second on {cores} cores")


if __name__ == "__main__":
    main()
