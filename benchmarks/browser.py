"""A bundle's TFLite files in headless Chromium beside native LiteRT, in turns: ``python -m benchmarks.browser BUNDLE``.

Prints a table of medians in ms of the network alone, with each number of threads, and how often a camera of 640 x 480
and 30 frames a second was shown. Needs Chromium.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from pocketlens import images
from pocketlens.bench.devices.device import Worker
from pocketlens.bench.devices.local import Local
from pocketlens.bench.devices.web import open_web
from pocketlens.bundle.manifest import Artifact
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.bundle.web import write_web
from pocketlens.images import Picture
from pocketlens.runtimes.adapter import Options
from pocketlens.web import chromium
from pocketlens.web.serve import serve
from tests.web.camera import write_clip

BLOCKS, SECONDS, COUNT = 8, 0.4, 5
LIVE_SECONDS = 10


def compare(path: Path, picture: Picture, workers: dict[str, Worker], threads: int) -> dict[str, list[float]]:
    """The network's ms of every frame, by device, of blocks in turns."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    for worker in workers.values():
        worker.load(path, "litert", Options(threads=threads, accelerator="cpu"), 120)
        worker.first(picture, None, 120)
        worker.play(SECONDS, COUNT, 120)
    for _ in range(BLOCKS):
        for name, worker in workers.items():
            times[name] += worker.play(SECONDS, COUNT, 120).inference_ms
    return times


def shown_picture(bundle: Bundle, artifact: Artifact) -> Picture:
    """The bundle's first golden picture of an artifact's size."""
    golden = next(g for g in bundle.manifest.golden if (g.height, g.width) == (artifact.height, artifact.width))
    return images.read(bundle.file(golden.picture))


def live(bundle: Path) -> str:
    """What the page says of its own speed after some seconds of a camera."""
    with tempfile.TemporaryDirectory() as folder:
        clip, site = Path(folder) / "face.y4m", Path(folder) / "site"
        with open_bundle(bundle) as opened:
            write_clip(images.read(opened.file(opened.manifest.golden[0].picture)), clip)
        write_web(bundle, site)
        flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
        with serve(site) as address, chromium.start((*flags, f"--use-file-for-fake-video-capture={clip}")) as browser:
            page = browser.page(address)
            page.wait("document.body.dataset.ready", 60)
            page.evaluate("document.getElementById('start').click()")
            page.evaluate(f"new Promise((done) => setTimeout(done, {1000 * LIVE_SECONDS}))")
            return str(page.evaluate("document.getElementById('status').textContent"))


def main() -> None:
    """Print the table."""
    path = Path(sys.argv[1])
    print("| file | threads | native ms | browser ms | ratio |\n|---|---|---|---|---|", flush=True)
    with open_bundle(path) as bundle, chromium.start() as browser:
        for artifact in (a for a in bundle.manifest.artifacts if a.target == "tflite"):
            for threads in (1, 2):
                (device,) = open_web("web:localhost", announce=lambda text: None)
                browser.page(device.link.url)
                device.prepare(["litert"])
                workers: dict[str, Worker] = {"native": Local().start(), "browser": device.start()}
                times = compare(bundle.path_of(artifact), shown_picture(bundle, artifact), workers, threads)
                ms = {name: statistics.median(each) for name, each in times.items()}
                for worker in workers.values():
                    worker.close()
                device.close()
                ratio = ms["browser"] / ms["native"]
                cells = f"{threads} | {ms['native']:.1f} | {ms['browser']:.1f} | {ratio:.1f}"
                print(f"| {artifact.id} | {cells} |", flush=True)
    print(f"live: {live(path)}")


if __name__ == "__main__":
    main()
