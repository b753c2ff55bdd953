"""Gates on pictures and on a clip decide, and the report says where a picture is worst."""

from pathlib import Path

import pocketlens
from pocketlens import images
from tests.generators import picture, seeded

RECIPE = """
[filter]
name = "small"
sizes = [[32, 48]]

[pictures]
clip = "clip"

[targets]
onnx = ["fp32", "w8"]

[gate]
psnr = 20
flip = 0.5
flicker = 1e-6
"""


def test_a_clip_decides_about_what_is_in_fewer_bits(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for i in range(3):
        images.write(tmp_path / f"clip/{i}.png", picture(40, 60, 7)[:, i : i + 56])
    (tmp_path / "small.toml").write_text(RECIPE)
    made = pocketlens.build(tmp_path / "small.toml", tmp_path / "a.bundle", generator=seeded(), bench=False)
    whole, coded = made.manifest.artifacts
    assert [(g.name, g.verdict) for g in whole.gates] == [("psnr", "pass"), ("flip", "pass")]
    assert [(g.name, g.verdict) for g in coded.gates] == [("psnr", "pass"), ("flip", "pass"), ("flicker", "fail")]
    assert coded.flicker is not None
    assert 1e-6 < coded.flicker < 2
    assert made.verdict == "fail"
    report = (tmp_path / "a.bundle/report.html").read_text()
    assert "flicker" in report
    assert "Worst at rows" in report
