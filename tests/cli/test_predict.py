import json
from pathlib import Path

from tests.cli.calls import call


def test_a_prediction_is_called_so_and_fits_80_columns(model: Path) -> None:
    shown = call("predict", model, "--size", "32x48", "--phone", "Galaxy S24").stdout
    assert "predicted, not measured" in shown and "Samsung Galaxy S24" in shown and "BSD-3-Clause" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_a_prediction_as_json(model: Path) -> None:
    document = json.loads(call("predict", model, "--size", "32x48", "--phone", "s24", "-p", "fp16", "--json").stdout)
    (prediction,) = document["predicted"]["predictions"]
    assert prediction["low"] <= prediction["ms"] <= prediction["high"] and prediction["median_error"] > 0


def test_a_prediction_decides_a_budget_only_where_it_may(model: Path) -> None:
    asked = ("predict", model, "--size", "32x48", "--phone", "s24", "-p", "fp16", "--fps")
    assert "fails" in call(*asked, "100000").stdout
    call(*asked, "100000", "--predicted", code=1)
    assert "holds" in call(*asked, "1", "--predicted").stdout


def test_a_bundle_is_predicted_from_its_onnx_artifact(bundle: Path, model: Path) -> None:
    of_bundle, of_model = (
        json.loads(call("predict", what, "--size", "32x48", "--phone", "s24", "-p", "fp16", "--json").stdout)
        for what in (bundle, model)
    )
    assert of_bundle["predicted"]["size"] == [32, 48]
    assert of_bundle["predicted"]["gmacs"] == of_model["predicted"]["gmacs"]


def test_what_nobody_measured_is_refused(model: Path) -> None:
    for arguments, said in (
        (("--phone", "iPhone 17"), "no measurements are known"),
        (("-p", "palette6"), "fp32, fp16, w8, int8, int8-a16"),
        (("--runtime", "coreml"), "litert, onnxruntime, qnn"),
        (("--phone", "S24", "-p", "int8-a16"), "a prediction needs 12"),
    ):
        assert said in call("predict", model, "--size", "32x48", *arguments, code=2).output.replace("\n", " ")
