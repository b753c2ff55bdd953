import base64
import html
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pocketlens import images
from pocketlens.bench.budget import PerformanceBudget, judge_all
from pocketlens.bench.document import Document
from pocketlens.bench.report import render, summary
from pocketlens.bench.report_pictures import ReportPicture, data_uri, difference
from pocketlens.bundle.manifest import GateResult, Manifest
from pocketlens.bundle.read import open_bundle
from pocketlens.quality import compare
from tests.bench.pages import SNAP, Page
from tests.bench.samples import blocks_of, document, result
from tests.generators import picture


@pytest.fixture(scope="module")
def page(manifest: Manifest, measured: Document, shown: list[ReportPicture]) -> str:
    return render(manifest, measured, judge_all(measured, SNAP), shown, SNAP)


def test_every_part_is_there(page: str, manifest: Manifest) -> None:
    assert page.startswith("<!doctype html>")
    read = Page(page)
    assert read.headings == [
        "Artifacts",
        "Pictures",
        "Latency",
        "Quality against latency",
        "Latency over time",
        "Environment",
        "Licence",
        "How the figures were made",
    ]
    for artifact in manifest.artifacts:
        assert artifact.id in read.text
    for sentence in (
        "Turns the colours.",
        "Made by the tests",
        "MIT",
        "90.2 dB",
        "Raspberry Pi 5",
        "the machine was busy",
        "not timed: mil interprets",
        "the picture is wrong: 9.1 dB",
        "Snap Lens Studio",
        "made by a formula, CC0-1.0",
        "onnxruntime 1.20",
    ):
        assert sentence in read.text, sentence


def test_the_verdict_comes_first_and_names_what_broke(page: str) -> None:
    text = Page(page).text
    verdict = text.index("limits hold")
    assert verdict < text.index("Artifacts")
    before_tables = text[: text.index("Scores are against")]
    assert "openvino-fp32-48x64 in openvino: frame time 60" in before_tables
    assert "tflite-fp16-48x64 in litert: frame time not known" in before_tables
    assert "onnx-fp32-48x64 in onnxruntime" not in before_tables


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    for tag, address in Page(page).addresses:
        assert address.startswith(("data:image/", "#")), (tag, address[:80])
    assert "@import" not in page and "<script" not in page
    assert all(url.startswith("#") for url in re.findall(r"url\(['\"]?([^)'\"]*)", page))
    assert re.findall(r"https?://[^\s\"'<]*", page) == []
    assert "default-src 'none'" in page


def test_pictures_have_words_and_can_be_decoded(page: str, manifest: Manifest) -> None:
    images = Page(page).images
    assert len(images) == 3 * len(manifest.artifacts)
    for one in images:
        assert one["alt"] and len(str(one["alt"])) > 10
        data = base64.b64decode(str(one["src"]).partition(",")[2])
        with Image.open(io.BytesIO(data)) as decoded:
            assert decoded.size == (64, 48)


def test_the_plot_has_words_and_a_table(page: str) -> None:
    plots = re.findall(r'<svg role="img" aria-label="([^"]*)"', page)
    assert len(plots) == 6  # three, each for narrow and for wide pages
    for words in plots:
        assert "onnx-fp32-48x64 in onnxruntime" in html.unescape(words)
    assert "budget 33.3 ms" in page
    assert "var(--accent)" in page and "#000003" not in page
    assert "The figures behind the plot" in page


def test_the_same_arguments_give_the_same_page(
    page: str, manifest: Manifest, measured: Document, shown: list[ReportPicture]
) -> None:
    assert render(manifest, measured, judge_all(measured, SNAP), shown, SNAP) == page


def test_without_measurements(manifest: Manifest) -> None:
    text = Page(render(manifest, None, [], [])).text
    assert "Nothing was timed" in text and "Latency" not in text and "Environment" not in text
    assert "All 4 limits hold" in text


def test_names_cannot_put_markup_into_the_page(manifest: Manifest, measured: Document) -> None:
    evil = "<script>alert(1)</script>\"'&$x^2$"
    named = replace(manifest, filter=replace(manifest.filter, name=evil, description=evil, attribution=(evil,)))
    first = replace(measured.results[0], artifact=replace(measured.results[0].artifact, id=evil))
    named = replace(named, artifacts=(replace(named.artifacts[0], id=evil),))
    flat = picture(16, 16)
    shown = [ReportPicture(evil, evil, flat, flat, compare(flat, flat))]
    dirty = replace(measured, results=(first,))
    page = render(named, dirty, judge_all(dirty, SNAP), shown)
    assert "<script" not in page
    assert Page(page).text.count("alert(1)") >= 5


def test_summary(manifest: Manifest, measured: Document) -> None:
    passed = manifest.artifacts[0]
    broken = replace(passed, gates=(GateResult("ssim", 0.99, 0.5, "fail"),))
    none = replace(manifest, artifacts=(replace(passed, gates=()),))
    assert summary(none, []).verdict == "no limits"
    assert summary(manifest, []).verdict == "pass"
    assert summary(replace(manifest, artifacts=(broken,), verdict="fail"), []).verdict == "fail"
    noisy = np.random.default_rng(0).normal(33, 3, (8, 20)).tolist()
    unstable = judge_all(document(result(blocks_of(*noisy))), PerformanceBudget.of(frame_ms=38))
    assert unstable[0].verdict == "unstable"
    assert summary(manifest, unstable).verdict == "unstable"
    assert summary(manifest, judge_all(measured, SNAP)).verdict == "fail"
    only_size = judge_all(document(result(interpreted=True, runtime="mil")), PerformanceBudget.of(fps=30))
    assert summary(manifest, only_size) == summary(manifest, [])


def test_difference_is_as_bright_as_it_can_be_and_never_clipped() -> None:
    teacher = np.full((4, 4, 3), 100, np.uint8)
    for error in (1, 2, 3, 50, 100):
        artifact = teacher.copy()
        artifact[1, 2, 0] -= error
        shown, factor = difference(teacher, artifact)
        assert shown[1, 2, 0] == error * factor <= 255
        assert factor == min(128, 255 // error)
        assert np.count_nonzero(shown) == 1
    shown, factor = difference(teacher, teacher)
    assert factor == 1 and not shown.any()


def test_large_pictures_are_made_smaller_and_stay_in_shape() -> None:
    data = base64.b64decode(data_uri(picture(600, 1200)).partition(",")[2])
    with Image.open(io.BytesIO(data)) as decoded:
        assert decoded.size == (512, 256)


def test_parts_of_others_and_other_devices(manifest: Manifest, measured: Document) -> None:
    from pocketlens.bench.report import DeviceReport, Section

    phone = replace(measured, environment=replace(measured.environment, device="adb:x<y", emulated=True))
    extra = Section("Risks", "A <b> is text.", ("node", "risk"), (("conv<1>", "overflow"),))
    others = [
        DeviceReport("adb:x<y", phone, judge_all(phone, SNAP)),
        DeviceReport("ssh://gone", None, error="it cannot be reached"),
    ]
    text = render(manifest, measured, judge_all(measured, SNAP), [], SNAP, sections=[extra], others=others)
    read = Page(text)
    order = ["Devices", "Artifacts", "Risks", "Latency on local", "Latency on adb:x<y", "Environment of adb:x<y"]
    assert sorted(order, key=read.headings.index) == order
    assert "conv&lt;1&gt;" in text and "adb:x&lt;y" in text and "emulated" in text
    before = read.text[: read.text.index("One after the other")]
    assert "ssh://gone: it cannot be reached" in before, "what went wrong stands in the verdict"
    for device in ("local", "adb:x<y"):
        assert f"openvino-fp32-48x64 in openvino on {device}: frame time 60" in before
    labels = re.findall(r'aria-label="([^"]*)"', text)
    regions = [label for label in labels if not label.startswith(("Frame times", "Quality over", "Block medians"))]
    assert len(regions) == len(set(regions)), "regions of several devices have names of their own"


def test_pictures_of_devices_are_told_apart(bundle: Path) -> None:
    from pocketlens.bench.gallery import golden_gallery
    from pocketlens.bench.multi_device import DeviceOutcome

    with open_bundle(bundle) as opened:
        golden = opened.manifest.golden[0]
        teacher = images.read(opened.file(golden.expected))
        fields = {"size": teacher.shape[:2], "artifact": "onnx-fp32-48x64"}
        measured_here = document(
            result(**fields, threads=1), result(**fields, threads=2, failure="the picture is wrong: 9 dB")
        )
        first, second = (case.label for case in measured_here.results)
        pictures = {first: teacher, second: 255 - teacher}
        right, wrong = golden_gallery(
            opened,
            [
                DeviceOutcome("local", measured_here, pictures=pictures),
                DeviceOutcome("adb:x", measured_here, pictures=pictures),
            ],
        )
        text = render(opened.manifest, measured_here, [], [right, wrong])
    assert right.where == "onnxruntime, 1 thread on local; onnxruntime, 1 thread on adb:x"
    assert right.scores.psnr >= 145 and wrong.scores.psnr < 20 and wrong.label == golden.picture.rpartition("/")[2]
    assert right.where in Page(text).text and "Not everything could be measured" in text


def test_a_sustained_measurement_shows_its_last_minute(manifest: Manifest) -> None:
    from pocketlens.bench.document import BenchmarkSettings
    from pocketlens.bench.result import Block

    blocks = tuple(Block(float(t), (20.0 if t < 60 else 50.0,) * 5, (10.0,) * 5) for t in range(5, 121, 5))
    sustained = document(result(blocks, artifact="onnx-fp32-48x64", size=(48, 64)))
    sustained = replace(sustained, settings=BenchmarkSettings(sustained=True))
    text = Page(render(manifest, sustained, judge_all(sustained, SNAP), [])).text
    assert "frame time 50" in text and "in the last minute" in text and "played alone" in text
