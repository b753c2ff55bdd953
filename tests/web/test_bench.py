"""``bench --device web:`` as one command, from the address that it prints to the verdict."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.bench.devices.web import open_web
from pocketlens.bench.document import Document
from pocketlens.bench.measure import bench_bundle
from pocketlens.bench.multi_device import bench_devices
from pocketlens.bench.selection import Selection
from pocketlens.bundle.read import open_bundle
from pocketlens.web import chromium
from pocketlens.web.chromium import Chromium
from tests.bench.cases import QUICK
from tests.bench.devices.browsers import browser_device, started
from tests.conftest import ROOT


def test_from_the_address_to_the_verdict(browser: Chromium, bundle: Path, tmp_path: Path) -> None:
    command = ["bench", bundle, "--device", "web:localhost", "--fps", "0.1", "--seconds", "0.3", "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pocketlens", *map(str, command), "-o", str(tmp_path / "phone.json")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=dict(os.environ),
    )  # fmt: skip
    try:
        assert process.stderr is not None
        address = next(found[0] for line in process.stderr if (found := re.search(r"http://localhost:\S+", line)))
        page = browser.page(address)
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    told = json.loads(output)
    ended = process.returncode, told["verdict"]
    if ended != (1, "unstable") or "slowed down" not in output:  # by other tests
        assert ended == (0, "pass"), output
    assert {row["artifact"] for row in told["subjects"] if row.get("p50_ms")} == {
        f"tflite-{precision}-64x64" for precision in ("fp32", "fp16", "w8")
    }
    document = Document.read(tmp_path / "phone.json")
    assert document.environment.device.startswith("web:") and document.environment.device in output
    assert document.environment.host.packages["isolated"] == "yes" and not document.environment.emulated
    for result in document.results:
        if result.runtime.name == "litert":
            assert result.check is not None and result.check.holds and result.effective.delegate == "threads"
    page.wait("document.getElementById('status').textContent.startsWith('Done')", 20)


def test_webgpu_on_a_processor_is_tagged_emulated(bundle: Path) -> None:
    selection = Selection(artifacts=("tflite-fp32-64x64",), accelerators=("gpu",))
    with started(chromium.WEBGPU) as with_webgpu:
        device = browser_device(with_webgpu)
        document = bench_bundle(bundle, selection, settings=QUICK, device=device)
    (result,) = document.results
    assert result.failure is None and result.effective.accelerator == "gpu" and result.blocks
    assert document.environment.emulated and "swiftshader" in document.environment.host.packages["gpu"].lower()


def test_two_phones_at_once(browser: Chromium, pack: Path) -> None:
    pytest.importorskip("segno", reason="pip install 'pocketlens[web]'")
    devices = open_web("web:2", announce=lambda text: None)
    for _ in devices:
        context = browser.call("Target.createBrowserContext")["browserContextId"]
        browser.call("Target.createTarget", url=devices[0].link.url, browserContextId=context)
    steps: list[str] = []
    with open_bundle(pack.parent) as opened:
        first, second = bench_devices(
            opened, devices, Selection(artifacts=("tflite-fp32-64x64",)), settings=replace(QUICK, seconds=1),
            progress=lambda name, step: steps.append(name),
        )  # fmt: skip
    for outcome in (first, second):
        assert outcome.document is not None
        (result,) = outcome.document.results
        assert result.check is not None and result.check.holds and result.blocks  # a pack plays its first style
    assert [outcome.device for outcome in (first, second)] == [first.device, f"{first.device} 2"]
    last = {name: len(steps) - steps[::-1].index(name) for name in set(steps)}
    assert min(last.values()) > max(steps.index(name) for name in last), "each began before the other had ended"
