import json
import shutil
from pathlib import Path

from tests.cli.calls import call


def test_verify_passes_then_catches_one_changed_byte(bundle: Path, tmp_path: Path) -> None:
    assert json.loads(call("verify", bundle, "--json").stdout)["verdict"] == "pass"
    copied = tmp_path / "copy.bundle"
    shutil.copytree(bundle, copied)
    artifact = next((copied / "artifacts").glob("*.tflite"))
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    artifact.write_bytes(bytes(data))
    assert json.loads(call("verify", copied, "--json", code=1).stdout)["verdict"] == "fail"
