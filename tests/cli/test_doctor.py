import importlib.metadata
import json
import re

from pocketlens.cli.extras import LIBRARIES
from tests.cli.calls import call


def test_doctor_lists_runtimes() -> None:
    checked = json.loads(call("doctor", "--json").stdout)
    assert checked["playable"] is True
    assert {"onnxruntime", "openvino", "litert", "coreml", "mil", "coreai"} <= {c["name"] for c in checked["checks"]}
    assert all(check["version"] for check in checked["checks"] if check["purpose"] == "play" and not check["missing"])


def test_each_extra_brings_what_is_said_of_it() -> None:
    brought = {
        (re.split(r"[ <>=!\[;]", line)[0].lower(), extra)
        for line in importlib.metadata.requires("pocketlens") or ()
        for extra in re.findall(r"extra == ['\"]([a-z]+)['\"]", line) or [""]
    }
    said = {(library.distribution, library.extra) for library in LIBRARIES}
    assert not said - brought
