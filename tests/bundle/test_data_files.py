"""A bundle's artifacts keep their values themselves: what a runtime would open beside one was hashed by nobody."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pocketlens import load
from pocketlens.bench.document import BenchmarkSettings
from pocketlens.bench.measure import bench_bundle
from pocketlens.bundle.verify import verify
from pocketlens.errors import InputError
from tests.runtimes.data_files.models import WEIGHTS, initializer, ir

Edit = Callable[[Path, Callable[[dict], None]], None]
ONNX, IR = "artifacts/onnx-fp32-48x64.onnx", "artifacts/openvino-fp32-48x64.xml"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("how", ["listed", "unlisted", "linked", "outside", "disguised"])
@pytest.mark.parametrize("packed", [False, True])
def test_values_beside_an_artifact(bundle: Path, edit: Edit, tmp_path: Path, how: str, packed: bool) -> None:
    beside = bundle / "artifacts/w.bin"
    if how == "disguised":
        ir(bundle / "artifacts", "onnx-fp32-48x64.onnx")
    else:
        location = "../../w.bin" if how == "outside" else "w.bin"
        (bundle / ONNX).write_bytes(initializer(location).SerializeToString())
        (tmp_path / "w.bin").write_bytes(WEIGHTS)
    if how in ("listed", "unlisted"):
        beside.write_bytes(WEIGHTS)
    elif how == "linked" and not packed:
        beside.symlink_to(tmp_path / "w.bin")

    def relist(manifest: dict) -> None:
        artifact = manifest["artifacts"][0]
        artifact.update(sha256=digest(bundle / ONNX), bytes=(bundle / ONNX).stat().st_size, golden_psnr=1.0)
        manifest["artifacts"] = [artifact]
        manifest["files"][ONNX] = artifact["sha256"]
        if how == "listed":
            manifest["files"]["artifacts/w.bin"] = digest(beside)

    edit(bundle, relist)
    path = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", bundle)) if packed else bundle
    for runtime in ("onnxruntime", "openvino"):
        with pytest.raises(InputError, match=r"another file|begins as XML"):
            load(path, runtime=runtime)
    if how == "disguised":  # as any damaged file, it costs its own case alone
        (result,) = bench_bundle(path, settings=BenchmarkSettings(seconds=0.1)).results
        assert result.failure is not None and "begins as XML" in result.failure and not result.blocks
    else:
        with pytest.raises(InputError, match="another file"):
            bench_bundle(path, settings=BenchmarkSettings(seconds=0.1))
    assert verify(path).verdict == "fail"


def test_an_onnx_file_under_an_irs_name(bundle: Path, edit: Edit) -> None:
    (bundle / IR).write_bytes(initializer("w.bin").SerializeToString())
    (bundle / "artifacts/w.bin").write_bytes(WEIGHTS)

    def relist(manifest: dict) -> None:
        artifact = manifest["artifacts"][1]
        size = (bundle / IR).stat().st_size + (bundle / IR).with_suffix(".bin").stat().st_size
        manifest["files"][IR] = digest(bundle / IR)
        lines = sorted((Path(name).name, manifest["files"][name]) for name in (IR, IR.replace(".xml", ".bin")))
        joined = "".join(f"{hashed}  {name}\n" for name, hashed in lines)
        artifact.update(bytes=size, sha256=hashlib.sha256(joined.encode()).hexdigest())
        manifest["artifacts"] = [artifact]

    edit(bundle, relist)
    with pytest.raises(InputError, match="does not begin as XML"):
        load(bundle)
