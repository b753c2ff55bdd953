"""Report pages to look at: a build's, a measurement's of one device, and one of three: ``make lab-pages``.

    python -m lab.report_pages OUT [BUNDLE]

Without a bundle the filter that ships is built. The second and third device are made up from the first: they are there
for the page's sake.
"""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from pocketlens.bench.budget import PerformanceBudget, judge_all
from pocketlens.bench.document import BenchmarkSettings, Document, Snapshot, TimedSnapshot
from pocketlens.bench.gallery import golden_gallery
from pocketlens.bench.measure import bench_bundle
from pocketlens.bench.multi_device import DeviceOutcome
from pocketlens.bench.report import DeviceReport, render
from pocketlens.bench.selection import Selection
from pocketlens.bundle.read import Bundle, open_bundle
from pocketlens.images import Picture

BUDGET = PerformanceBudget.of(preset="snap-lens")
AWAY = (
    "ssh://pi@raspberrypi.local cannot be reached: Connection refused "
    "(start its ssh server: sudo systemctl enable --now ssh)"
)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    if len(sys.argv) > 2:
        path = Path(sys.argv[2])
    else:
        subprocess.run([sys.executable, "-m", "pocketlens", "demo", "-o", str(out / "demo")], check=False)
        path = out / "demo" / "cartoon.bundle"
    shutil.copy(path / "report.html", out / "build.html")
    with open_bundle(path) as bundle:
        pictures: dict[str, Picture] = {}
        measured = bench_bundle(
            bundle, Selection(threads=(1, 2)), settings=BenchmarkSettings(seconds=0.5), pictures=pictures
        )
        (out / "one.html").write_text(page(bundle, measured, pictures))
        (out / "three.html").write_text(page(bundle, measured, pictures, several=True))


def page(bundle: Bundle, measured: Document, pictures: dict[str, Picture], several: bool = False) -> str:
    outcomes, others = [DeviceOutcome("local", measured, pictures=pictures)], []
    if several:
        warm = tuple(TimedSnapshot(float(s), Snapshot(temperature_c=40 + 2 * s)) for s in range(8))
        about = replace(measured.environment, device="adb:emulator-5554", emulated=True, during=warm)
        first, *rest = measured.results
        broken = replace(first, timing=None, failure="the picture is wrong: 9.1 dB against the expected one")
        phone = replace(measured, environment=about, results=(broken, *rest))
        outcomes.append(
            DeviceOutcome("adb:emulator-5554", phone, pictures={**pictures, first.label: 255 - pictures[first.label]})
        )
        others = [
            DeviceReport("adb:emulator-5554", phone, judge_all(phone, BUDGET)),
            DeviceReport("ssh://pi@raspberrypi.local", None, error=AWAY),
        ]
    return render(
        bundle.manifest, measured, judge_all(measured, BUDGET), golden_gallery(bundle, outcomes), BUDGET, others=others
    )


if __name__ == "__main__":
    main()
