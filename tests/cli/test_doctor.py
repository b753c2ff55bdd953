import json

from tests.cli.calls import call


def test_doctor_lists_runtimes() -> None:
    checked = json.loads(call("doctor", "--json").stdout)
    assert checked["playable"] is True
    assert {"onnxruntime", "openvino", "litert", "coreml", "mil", "coreai"} <= {c["name"] for c in checked["checks"]}
    assert all(check["version"] for check in checked["checks"] if check["purpose"] == "play" and not check["missing"])
