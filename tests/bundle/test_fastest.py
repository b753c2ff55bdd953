import json
from pathlib import Path

import pytest

from pocketlens import machine
from pocketlens.bundle import fastest
from pocketlens.bundle.load import load


def test_the_choice_is_measured_once_and_explained(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest, "_SECONDS", 0.02)
    with load(bundle, threads=1) as session:
        explanation = session.explain()
        assert "the fastest, measured here" in explanation
        assert all(f"in {name}: " in explanation for name in ("onnxruntime", "openvino"))
    monkeypatch.setattr(fastest, "_median_ms", lambda *_: pytest.fail("it was measured again"))
    with load(bundle, threads=1) as session:
        assert session.explain() == explanation
    with load(bundle, runtime="onnxruntime", measure=False) as session:
        assert "the first in the order of preference" in session.explain() or "nothing else fits" in session.explain()


@pytest.mark.parametrize("winner", ["onnxruntime", "openvino"])
def test_the_bundles_own_measurements_decide_on_a_machine_like_theirs(bundle: Path, winner: str) -> None:
    def subject(artifact: str, runtime: str) -> dict:
        ms = 5.0 if runtime == winner else 9.0
        return {"artifact": artifact, "runtime": runtime, "timing": {"rounds": [{"frame_ms": [ms, ms + 1, ms]}]}}

    pairs = [("onnx-fp32-48x64", "onnxruntime"), ("onnx-fp32-48x64", "openvino"), ("openvino-fp32-48x64", "openvino")]
    host = {"cpu": machine.cpu(), "cores": machine.cores()}
    document = {"environment": {"host": host}, "subjects": [subject(*pair) for pair in pairs]}
    (bundle / "measurements").mkdir(exist_ok=True)
    (bundle / "measurements/here.json").write_text(json.dumps(document))
    (bundle / "measurements/broken.json").write_text("{")
    with load(bundle) as session:
        assert session.runtime == winner
        assert "in the bundle" in session.explain()
    host["cpu"] = "another"
    (bundle / "measurements/here.json").write_text(json.dumps(document))
    with load(bundle, measure=False) as session:
        assert session.runtime == "onnxruntime"
        assert "order of preference" in session.explain()
