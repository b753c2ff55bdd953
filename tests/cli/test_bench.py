import json
from pathlib import Path

from tests.cli.calls import call


def test_bench_gates(bundle: Path, tmp_path: Path) -> None:
    measured = json.loads(
        call("bench", bundle, "--seconds", "0.2", "--threads", "1", "-o", tmp_path / "m.json", "--json").stdout
    )
    assert measured["verdict"] == "pass"
    assert all(
        {"p50_ms", "p90_ms", "p95_ms", "p99_ms", "first_ms", "load_ms", "memory_mb"} <= set(subject)
        for subject in measured["subjects"]
    )
    assert all({"accelerator", "compute_precision", "threads"} <= set(subject) for subject in measured["subjects"])
    assert json.loads((tmp_path / "m.json").read_text())["subjects"][0]["timing"]["rounds"]
    shown = call("bench", bundle, "--seconds", "0.2", "--frame-ms", "0.001", code=1).stdout
    assert "fail" in shown and "p50 ms" in shown
    assert "give one" in call("bench", bundle, "--fps", "30", "--frame-ms", "33", code=2).stderr


def test_settings_in_turns(bundle: Path) -> None:
    common = ("bench", bundle, "--seconds", "0.1", "--artifact", "tflite-fp16-32x48", "--json")
    subjects = json.loads(call(*common, "--threads", "1,2", "--accelerator", "xnnpack").stdout)["subjects"]
    assert [(subject["threads"], subject["runtime"]) for subject in subjects] == [(1, "litert"), (2, "litert")]
    assert "'xnpack'" in call(*common, "--accelerator", "xnpack", code=2).stderr
    assert "'fp8'" in call(*common, "--compute-precision", "fp8", code=2).stderr
    assert "--threads has '0'" in call(*common, "--threads", "1,0", code=2).stderr


def test_a_device_that_is_not_there_costs_the_others_nothing(bundle: Path, tmp_path: Path) -> None:
    words = ("--device", "ssh://127.0.0.1:1", "--device", "local", "--seconds", "0.1", "--threads", "1")
    more = ("-o", tmp_path / "out", "--report", tmp_path / "r.html", "--history", tmp_path / "h", "--json")
    measured = json.loads(call("bench", bundle, *words, "--ssh-config", "/dev/null", *more, code=3).stdout)
    gone, here = measured["devices"]
    assert "cannot be reached" in gone["error"]["what"] and here["error"] is None
    assert {row["device"] for row in measured["subjects"]} == {"local"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["local.json"]
    assert "Latency over time" in (tmp_path / "r.html").read_text() and len(list((tmp_path / "h").iterdir())) == 1
    assert "is no device" in call("bench", bundle, "--device", "usb:1", code=2).stderr
