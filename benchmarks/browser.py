"""A bundle's TFLite files in headless Chromium beside native LiteRT, in turns: ``python -m benchmarks.browser BUNDLE``.

Prints medians in ms with each number of threads, of the network's time by the clock and of the processor time that a
frame takes; and how much of a live frame's time is the network's, from a camera of 640 x 480. Needs Chromium.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pocketlens import images
from pocketlens.bench.devices.device import Worker
from pocketlens.bench.devices.local import LocalWorker
from pocketlens.bench.devices.web import open_web
from pocketlens.bundle.manifest import Artifact
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.bundle.web import write_web
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import Options
from pocketlens.web import chromium
from pocketlens.web.serve import serve
from tests.web.camera import FACE, write_clip

BLOCKS, SECONDS, COUNT = 8, 0.4, 5
LIVE_SECONDS = 10


@dataclass
class Side:
    """What one of both sides took: the network's ms of each frame, and processor time in ms a frame of each block.

    The processor time is that of all processes of the side, and does not grow when others use the processor.
    """

    worker: Worker
    group: int
    network_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def play(self) -> None:
        """Play a block."""
        before_s = processor_s(self.group)
        block = self.worker.play(SECONDS, COUNT, 120)
        self.network_ms += block.inference_ms
        self.processor_ms.append(1000 * (processor_s(self.group) - before_s) / (len(block.frame_ms) + 1))


def compare(path: Path, picture: Picture, sides: Sequence[Side], threads: int) -> None:
    """Play blocks in turns on both sides."""
    for side in sides:
        side.worker.load(path, "litert", Options(threads=threads, accelerator="cpu"), 120)
        side.worker.first(picture, None, 120)
        side.worker.play(SECONDS, COUNT, 120)
    for _ in range(BLOCKS):
        for side in sides:
            side.play()


@contextmanager
def both_sides(browser: chromium.Chromium) -> Iterator[tuple[Side, Side]]:
    """Native LiteRT in a process of its own, and a page of a browser."""
    (device,) = open_web("web:localhost", announce=lambda text: None)
    browser.page(device.link.url)
    device.prepare(["litert"])
    native = LocalWorker()
    page = device.start()
    try:
        yield Side(native, os.getpgid(native.channel.process.pid)), Side(page, browser.group)
    finally:
        native.close()
        page.close()
        device.close()


def shown_picture(bundle: Bundle, artifact: Artifact) -> Picture:
    """The bundle's first golden picture of an artifact's size."""
    golden = next(g for g in bundle.manifest.golden if (g.height, g.width) == (artifact.height, artifact.width))
    return images.read(bundle.file(golden.picture))


_LIVE = """(async (precision, seconds) => {
  const [{ Player }, { readArtifact, readFilter }, { askCamera, feed }] =
    await Promise.all(['player', 'chain', 'feeds'].map((name) => import(`./${name}.js`)));
  const artifact = (await readFilter()).artifacts.find((one) => one.precision === precision);
  const player = await Player.open('threads', await readArtifact(artifact));
  const canvas = document.createElement('canvas').transferControlToOffscreen(), told = [];
  await player.ask('canvas', { canvas }, [canvas]);
  player.onspeed = (speed) => told.push(speed);
  const stop = feed(await askCamera('user'), player, document.createElement('video'), true);
  await new Promise((done) => setTimeout(done, 1000 * seconds));
  stop();
  player.close();
  return told;
})"""


def live(bundle: Path) -> None:
    """Print how much of a live frame's time the network takes, from the camera's frame to the canvas."""
    with tempfile.TemporaryDirectory() as folder:
        clip, site = Path(folder) / "face.y4m", Path(folder) / "site"
        write_clip(images.read(FACE), clip)
        write_web(bundle, site)
        flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
        with serve(site) as address, chromium.start((*flags, f"--use-file-for-fake-video-capture={clip}")) as browser:
            page = browser.page(address)
            page.wait("document.body.dataset.ready", 60)
            for artifact in json.loads((site / "filter.json").read_text())["artifacts"]:
                told = page.evaluate(f"{_LIVE}('{artifact['precision']}', {LIVE_SECONDS})")
                shares = [one["network_ms"] / one["ms"] for one in told]
                frame_ms, fps = (statistics.median(one[key] for one in told) for key in ("ms", "fps"))
                low, middle, high = statistics.quantiles(shares, n=4)
                print(
                    f"live, {artifact['precision']}: {frame_ms:.1f} ms a frame, {fps:.1f} frames a second; the network "
                    f"is {middle:.0%} of a frame, {low:.0%} to {high:.0%} in the middle half of {len(told)} groups"
                )


def processor_s(group: int) -> float:
    """The processor time in seconds that the processes of a group have used until now."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    path = Path(sys.argv[1])
    columns = ("native ms", "browser ms", "ratio", "processor: native ms", "browser ms", "ratio: median, least to most")
    print(f"| file | threads | {' | '.join(columns)} |\n{'|---' * (2 + len(columns))}|", flush=True)
    with open_bundle(path) as bundle, chromium.start() as browser:
        for artifact in (a for a in bundle.manifest.artifacts if a.target == "tflite"):
            for threads in (1, 2):
                with both_sides(browser) as (native, page):
                    compare(bundle.path_of(artifact), shown_picture(bundle, artifact), (native, page), threads)
                print(f"| {artifact.id} | {threads} | {' | '.join(cells(native, page))} |", flush=True)
    live(path)


def cells(native: Side, page: Side) -> Iterator[str]:
    """Medians and their ratio, first of the network's time, then of processor time with the ratios of all blocks."""
    medians = [statistics.median(side.network_ms) for side in (native, page)]
    yield from (f"{medians[0]:.1f}", f"{medians[1]:.1f}", f"{medians[1] / medians[0]:.1f}")
    medians = [statistics.median(side.processor_ms) for side in (native, page)]
    ratios = sorted(mine / theirs for theirs, mine in zip(native.processor_ms, page.processor_ms, strict=True))
    yield from (f"{medians[0]:.1f}", f"{medians[1]:.1f}")
    yield f"{statistics.median(ratios):.1f}, {ratios[0]:.1f} to {ratios[-1]:.1f}"


if __name__ == "__main__":
    main()
