import json

from pocketlens.models import zoo
from tests.cli.calls import call


def test_zoo_lists_every_architecture_with_its_costs() -> None:
    shown = call("zoo").stdout
    for known in zoo.ARCHITECTURES.values():
        assert all(text in shown for text in (known.name, known.source, known.paper, known.license))
    assert "54,413,955" in shown and "builtin:cartoon" in shown


def test_zoo_gives_the_same_as_json() -> None:
    shown = json.loads(call("zoo", "--json").stdout)
    assert [b["name"] for b in shown["builtins"]] == list(zoo.BUILTINS)
    anime = next(a for a in shown["architectures"] if a["name"] == "animegan2")
    assert anime["costs"] == {"macs": 26_284_654_592, "parameters": 2_143_552, "multiple": 1}
    assert (anime["input_range"], anime["size"], anime["license"]) == ([-1.0, 1.0], [256, 256], "MIT")
