import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.bundle import manifest, schema
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.errors import InputError


@pytest.fixture(scope="module")
def text(full_spec: BundleSpec, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("b") / "b"
    write(full_spec, folder)
    return (folder / "manifest.json").read_text()


def test_there_and_back(text: str) -> None:
    parsed = manifest.parse(text)
    assert parsed.to_json() == text
    assert parsed.io.sizes == ((48, 64),)
    assert isinstance(parsed.artifacts[0].golden_psnr, float)


def test_schema_is_up_to_date() -> None:
    assert schema.PATH.read_text() == schema.text(), "run make schema"


def test_schema_holds_for_a_real_manifest_and_not_for_a_wrong_one(text: str) -> None:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema.schema())
    validator.check_schema(schema.schema())
    assert list(validator.iter_errors(json.loads(text))) == []
    wrong = json.loads(text)
    wrong["artifacts"][0]["layout"] = "HWC"
    del wrong["source"]
    assert len(list(validator.iter_errors(wrong))) == 2


def test_every_field_is_described() -> None:
    definition = schema.schema()
    for part in (definition, *definition["$defs"].values()):
        assert [name for name, value in part["properties"].items() if not value.get("description")] == []


def test_unknown_keys_are_ignored(text: str) -> None:
    data = json.loads(text)
    data["schema"], data["mood"], data["artifacts"][0]["npu"] = "1.7", "good", {"layers": 3}
    assert manifest.parse(json.dumps(data)).artifacts == manifest.parse(text).artifacts


def test_a_newer_major_version_asks_for_an_upgrade(text: str) -> None:
    # Even where nothing else is as this version expects it.
    with pytest.raises(InputError, match="made by a newer") as caught:
        manifest.parse('{"schema": "2.0", "artifacts": "elsewhere"}')
    assert "--upgrade" in caught.value.do


def put(path: str, value: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        *keys, last = [int(k) if k.isdigit() else k for k in path.split(".")]
        for key in keys:
            data = data[key]
        data[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("schema", 1, "schema is '1'"),
        ("schema", "1", "schema is '1'"),
        ("schema", None, "schema is 'None'"),
        ("filter.name", 7, r"filter.name is 7, expected text"),
        ("filter.commercial_use", "no", r"filter.commercial_use is 'no', expected true or false or null"),
        ("filter.attribution", "me", r"filter.attribution is 'me', expected a list"),
        ("filter.attribution", [1], r"filter.attribution\[0\] is 1, expected text"),
        ("artifacts", {}, "artifacts is {}, expected a list"),
        ("artifacts", [], "artifacts: there is none"),
        ("artifacts.0", None, r"artifacts\[0\] is None, expected an object"),
        ("artifacts.1.height", True, r"artifacts\[1\].height is True, expected a whole number"),
        ("artifacts.1.height", 48.0, r"artifacts\[1\].height is 48.0, expected a whole number"),
        ("artifacts.1.height", 49, r"\(49, 64\) is not among io.sizes"),
        ("artifacts.0.layout", "HWC", r"layout is 'HWC', expected one of 'NCHW', 'NHWC'"),
        ("artifacts.0.scores.psnr", "90", r"artifacts\[0\].scores.psnr is '90', expected a number"),
        ("artifacts.0.scores.psnr", 10**400, "expected a number"),
        ("artifacts.0.id", "openvino-fp32-48x64", "an id occurs twice"),
        ("artifacts.0.path", "../../etc/passwd", "is not in artifacts/"),
        ("artifacts.0.path", "/etc/passwd", "is not in artifacts/"),
        ("artifacts.0.path", "artifacts/../../etc/passwd", "is not among files"),
        ("artifacts.0.path", "recipe.toml", "is not in artifacts/"),
        ("artifacts.0.sha256", "0" * 64, "sha256: it contradicts files"),
        ("artifacts.0.gates.0.verdict", "fail", "verdict: 'pass' contradicts the gates"),
        ("golden.0.picture", "golden/other.png", "is not among files"),
        ("io.sizes", [[48]], r"io.sizes\[0\] is \[48\], expected a list of 2"),
        ("verdict", "unstable", "verdict is 'unstable', expected one of"),
        ("recipe_sha256", "abc", "recipe_sha256: it is no SHA-256"),
        ("files", {"../x": "0" * 64}, "it holds '..'"),
        ("files", {"a\\b": "0" * 64}, "backslash"),
        ("files", {"C:/x": "0" * 64}, "colon"),
        ("files", {"manifest.json": "0" * 64}, "not part of the content"),
        ("files", {"measurements/local.json": "0" * 64}, "not part of the content"),
        ("files", {"x": "0" * 63}, "is no SHA-256"),
        ("toolchain", {"onnx": 1}, r"toolchain\['onnx'\] is 1, expected text"),
    ],
)
def test_a_wrong_field_is_named(text: str, path: str, value: Any, message: str) -> None:
    data = json.loads(text)
    put(path, value)(data)
    with pytest.raises(InputError, match=message):
        manifest.parse(json.dumps(data))


def test_a_missing_field_is_named(text: str) -> None:
    data = json.loads(text)
    del data["artifacts"][1]["scores"]["ssim"]
    with pytest.raises(InputError, match=r"artifacts\[1\].scores.ssim is missing"):
        manifest.parse(json.dumps(data))


def test_an_ir_without_its_weights_is_refused(text: str) -> None:
    data = json.loads(text)
    del data["files"]["artifacts/openvino-fp32-48x64.bin"]
    with pytest.raises(InputError, match=r"the \.bin beside"):
        manifest.parse(json.dumps(data))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "not readable JSON"),
        ("{", "not readable JSON"),
        ("[]", "schema is 'None'"),
        ("null", "schema is 'None'"),
        ('{"schema": "1.0", "schema": "1.0"}', "a key occurs twice"),
        ('{"schema": NaN}', "NaN"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("9" * 10_000, "not readable JSON"),
        (" " * 4_000_001, "larger than"),
        ('{"schema": "1.0"}', "filter is missing"),
        ('{"schema": "99999999999999999999.0"}', "expected 'major.minor'"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(document: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        manifest.parse(document)


def test_truncated_anywhere(text: str) -> None:
    for length in range(0, len(text) - 2, 97):
        with pytest.raises(InputError):
            manifest.parse(text[:length])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused(text: str, data: st.DataObject) -> None:
    """Never a traceback: whatever stands in whatever place."""
    document = json.loads(text)
    where: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(where)) if isinstance(where, dict) else st.integers(0, len(where) - 1))
        if not isinstance(where[key], dict | list) or not where[key] or data.draw(st.booleans()):
            break
        where = where[key]
    where[key] = data.draw(anything)
    try:
        manifest.parse(json.dumps(document))
    except InputError as error:
        assert error.do


def test_the_digest_of_a_folder_is_that_of_files_sha256(text: str, tmp_path: Path) -> None:
    from pocketlens import files

    (tmp_path / "p/Data").mkdir(parents=True)
    (tmp_path / "p/Data/w").write_text("w")
    (tmp_path / "p/M.json").write_text("{}")
    listed = {f"artifacts/p/{n}": files.sha256(tmp_path / "p" / n) for n in ("M.json", "Data/w")}
    assert manifest.digest("artifacts/p", listed) == files.sha256(tmp_path / "p")
