"""The filters of the documentation's site, in a browser. ``make docs`` builds them."""

import json
from pathlib import Path

import pytest

from pocketlens import images, quality
from pocketlens.errors import MissingError
from pocketlens.web import check, chromium
from tests.conftest import ROOT

LIVE = ROOT / "build/site/live"


@pytest.mark.skipif(not (LIVE / "filter.json").is_file(), reason="the site is not built: make docs")
def test_the_live_filters_are_the_teachers() -> None:
    try:
        chromium.find()
    except MissingError as error:
        pytest.skip(f"{error.what}: {error.do}")
    about = json.loads((LIVE / "filter.json").read_text("utf-8"))
    assert {"cartoon", "starry"} <= set(about["styles"])
    results = {result.artifact: result for result in check.check_folder(Path(LIVE), "threads")}
    assert set(results) == {artifact["id"] for artifact in about["artifacts"]}
    for result in results.values():
        assert not result.refused
        for golden, output in zip(about["golden"], result.outputs, strict=True):
            assert quality.psnr(images.read(LIVE / golden["expected"]), images.to_uint8(output)) > 40, golden["style"]
