import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketlens.bench.document import BenchmarkSettings, Document, Snapshot, TimedSnapshot
from pocketlens.errors import InputError
from tests.bench.samples import blocks_of, document, result

WHOLE = document(
    result(blocks_of([1.25, 2.5], [3.0])),
    result(artifact="coreml-fp16-64x64", runtime="mil", interpreted=True, threads=None),
    result(blocks_of([1.0]), failure='the worker ended: killed by "SIGKILL" [\n1, 2\n]'),
    result(skipped="litert is not installed"),
)


def test_round_trip(tmp_path: Path) -> None:
    WHOLE.write(tmp_path / "local.json")
    assert Document.read(tmp_path / "local.json") == WHOLE
    assert Document.from_json(WHOLE.to_json()).to_json() == WHOLE.to_json()


def test_samples_stand_on_one_line_and_no_statistics_are_stored() -> None:
    text = WHOLE.to_json()
    assert '"frame_ms": [1.25, 2.5]' in text
    assert "p95" not in text and "mean" not in text


@given(st.lists(st.lists(st.floats(1e-4, 1e6), min_size=1, max_size=5), min_size=1, max_size=5), st.text(max_size=30))
def test_any_samples_survive(blocks: list[list[float]], failure: str) -> None:
    whole = document(result(blocks_of(*blocks), failure=failure))
    assert Document.from_json(whole.to_json()) == whole


def changed(path: str, value: Any) -> str:
    data = json.loads(WHOLE.to_json())
    *parents, last = path.split(".")
    parent = data
    for part in parents:
        parent = parent[int(part)] if part.isdigit() else parent[part]
    if value is KeyError:
        del parent[last]
    else:
        parent[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("schema", "2.0", "schema is '2.0'"),
        ("schema", KeyError, "schema"),
        ("schema", 1, "schema"),
        ("environment", KeyError, "environment is missing"),
        ("environment.host.cores", "four", "environment.host.cores"),
        ("environment.host.cores", True, "environment.host.cores"),
        ("environment.before.load", "high", "environment.before.load"),
        ("settings.count", 0, "settings.count"),
        ("settings.seconds", -1, "settings.seconds"),
        ("subjects", {}, "subjects"),
        ("subjects.0.size", [64], r"subjects\[0\].size"),
        ("subjects.0.size", [0, 64], r"subjects\[0\].size"),
        ("subjects.0.bytes", -1, r"subjects\[0\].bytes"),
        ("subjects.0.artifact", None, r"subjects\[0\].artifact"),
        ("subjects.0.timing.load_ms", "x", r"subjects\[0\].timing.load_ms"),
        ("subjects.0.timing.load_ms", -1, r"subjects\[0\].timing.load_ms"),
        ("subjects.0.timing.rounds.0.frame_ms", [1.0, None], r"rounds\[0\].frame_ms\[1\]"),
        ("subjects.0.timing.rounds.0.frame_ms", [1.0, 0.0], r"rounds\[0\].frame_ms"),
        ("subjects.0.timing.rounds.0.frame_ms", [], r"rounds\[0\].frame_ms is empty"),
        ("subjects.0.timing.rounds.1.inference_ms", [1.0, 1.0], r"rounds\[1\].inference_ms"),
        ("subjects.0.timing.rounds.0.inference_ms", [-1.0, 1.0], r"rounds\[0\].inference_ms"),
        ("subjects.0.timing.rounds.0.frame_ms", [10**400, 1.0], r"rounds\[0\].frame_ms\[0\]"),
        ("subjects.0.check.psnr", [], r"subjects\[0\].check.psnr"),
    ],
)
def test_a_wrong_field_is_named(path: str, value: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        Document.from_json(changed(path, value), "local.json")


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "7", '"text"', "[" * 100_000, '{"schema": NaN}', '{"schema": "1.0"}', "\0", "{}"],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Document.from_json(text)


def test_not_a_number_is_refused() -> None:
    with pytest.raises(InputError):
        Document.from_json(WHOLE.to_json().replace("1.25", "NaN"))


def test_unknown_keys_of_a_later_minor_version_are_ignored() -> None:
    data = json.loads(WHOLE.to_json())
    data["schema"], data["later"], data["environment"]["later"] = "1.7", 1, {"a": []}
    assert Document.from_json(json.dumps(data)).results == WHOLE.results


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name, match in (("absent.json", "does not exist"), ("binary.json", "cannot be read"), (".", "is a folder")):
        with pytest.raises(InputError, match=match):
            Document.read(tmp_path / name)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"count": 0}, {"answer_seconds": -1}, {"warm_change": 0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        BenchmarkSettings(**wrong)


def test_what_slowed_the_device_down_is_said() -> None:
    measured = document(result())
    clear = replace(measured.environment, before=Snapshot(throttled="", throttled_since_boot="under-voltage"))
    after = Snapshot(throttled="", throttled_since_boot="under-voltage, throttled")
    assert replace(clear, after=after).throttled == "throttled", "sticky bits count only if they were clear before"
    during = (TimedSnapshot(5.0, Snapshot(throttled="thermal state severe")),)
    assert replace(clear, during=during).throttled == "thermal state severe"
    assert clear.throttled == ""


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("threads", "9" * 5000, "5,000 digits"),
        ("bytes", "9" * 19, "number of at most"),
        ("artifact", '"' + "n" * 2_000_000 + '"', "2,000,000"),
        ("artifact", '"\\ud800"', "surrogate"),
        ("artifact", "[" * 2000 + "]" * 2000, "nested too deep"),
        ("memory", "[" * 100 + "]" * 100, "nested too deep"),
    ],
)
def test_what_no_document_holds_is_refused_at_the_door(key: str, value: str, match: str) -> None:
    data = json.loads(document(result(blocks_of([1.5]))).to_json())
    data["subjects"][0][key] = "HERE"
    text = json.dumps(data).replace('"HERE"', value)
    with pytest.raises(InputError, match=match):
        Document.from_json(text, "x.json")


@pytest.mark.parametrize("time", ["1e308", "1.7e308", "1e16"])
def test_times_whose_sums_are_no_numbers_are_refused(time: str) -> None:
    text = document(result(blocks_of([1.5]))).to_json().replace("1.5", time)
    with pytest.raises(InputError, match="a number of at most"):
        Document.from_json(text)


ROUND = '{"at_s": 0.0, "frame_ms": [1.25], "inference_ms": [1.0]}'


@pytest.mark.parametrize(
    ("one", "many", "match"),
    [
        ("[1.25]", f"[{', '.join(['1.25'] * 1_000_001)}]", "1,000,001 frames"),
        (ROUND, ", ".join([ROUND] * 20_001), "20,001"),
    ],
    ids=["frames", "rounds"],
)
def test_more_than_anybody_measures_is_refused(one: str, many: str, match: str) -> None:
    text = document(result(blocks_of([1.25]))).to_json()
    text = re.sub(r'\{\s*"at_s": 0.0,\s*"frame_ms": \[1.25\][^}]*\}', ROUND, text)
    assert text.count(one) == 1
    with pytest.raises(InputError, match=match):
        Document.from_json(text.replace(one, many))
