import json
from pathlib import Path

from tests.bench.samples import at, noisy
from tests.cli.calls import call


def test_compare_says_what_is_slower(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    noisy(20, 1).write(a)
    noisy(30, 2).write(b)
    assert "slower" in call("compare", a, b, code=1).output
    assert json.loads(call("compare", a, b, "--threshold", "90", "--json").stdout)["regressions"] == []
    call("compare", a, code=2)
    call("compare", code=2)


def test_compare_plots_a_history(tmp_path: Path) -> None:
    folder, plot = tmp_path / "history", tmp_path / "history.svg"
    for day, mean in enumerate((20, 20, 30)):
        at(noisy(mean, day), f"2026-01-0{day + 1}T00:00:00Z").write(folder / f"{9 - day}.json")
    shown = call("compare", "--history", folder, "--plot", plot, code=1, columns=60).stdout
    assert "onnx-fp32-64x64 in onnxruntime" in shown and "% slower (at most 10 %)" in shown
    assert plot.read_text().count("<path") > 5
