import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError
from pocketlens.models import source
from pocketlens.models.checkpoint_metadata import CheckpointMetadata, save_checkpoint
from pocketlens.models.pocket import Pocket
from pocketlens.models.source import resolve, wrap
from tests.models.source_keys import keys_of

FACTORY = """
import torch
from torch import nn
from {helper} import strength

class Brighter(nn.Module):
    input_range = (0.0, 1.0)
    def forward(self, x):
        return x * strength()

def make():
    return Brighter()

def number():
    return 7

def broken():
    raise ValueError("no weights here")

def leaves():
    raise SystemExit(3)

constant = 5
"""


@pytest.fixture
def code(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    # Modules stay imported, so that each test needs names of its own.
    helper = f"helper_{abs(hash(request.node.name))}"
    (tmp_path / f"{helper}.py").write_text("def strength():\n    return 2.0\n")
    (tmp_path / "mine.py").write_text(FACTORY.format(helper=helper))
    return tmp_path


def test_a_factory_in_a_file_is_called(code: Path) -> None:
    generator = resolve("mine.py:make", base=code)
    assert (generator.name, generator.kind, generator.path) == ("mine", "module", None)
    assert generator.ranges == Ranges((0.0, 1.0), (0.0, 255.0))
    assert generator.load()(torch.ones(1, 3, 4, 4)).max() == 2


def test_a_factory_in_a_module_is_called_and_the_path_is_left_as_it_was(code: Path) -> None:
    (code / "a_package").mkdir()
    (code / "a_package/inner_file.py").write_text((code / "mine.py").read_text())
    before = list(sys.path)
    assert resolve("a_package.inner_file:Brighter", base=code).name == "a_package.inner_file"
    assert sys.path == before


def test_an_edit_in_a_file_that_the_factory_imports_changes_the_key(code: Path) -> None:
    keys = set()
    (helper,) = code.glob("helper_*.py")
    for strength in (2.0, 2.0, 2.01):
        helper.write_text(f"def strength():\n    return {strength}\n")
        keys.update(keys_of([code]))
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.py:broken", "mine.py:broken raised ValueError: no weights here"),
        ("mine.py:leaves", "raised SystemExit: 3"),
        ("mine.py:number", "gave a int, expected an nn.Module"),
        ("mine.py:constant", "has no function 'constant'"),
        ("mine.py:absent", "has no function 'absent'"),
        ("absent.py:make", "does not exist"),
        ("absent_module_of_nobody:make", "raised ModuleNotFoundError"),
        ("mine.py:", "is not module:name or file.py:name"),
        (":make", "is not module:name or file.py:name"),
        ("syntax.py:make", "raised SyntaxError"),
        ("hf:somebody/something", "is not there"),
        ("wave.ckpt", "no kind that can be read"),
        ("", "no kind that can be read"),
        ("builtin:watercolour", "no filter 'watercolour' ships"),
        ("absent.npz", "does not exist"),
        ("absent.onnx", "does not exist"),
    ],
)
def test_wrong_sources_are_refused(code: Path, name: str, message: str) -> None:
    (code / "syntax.py").write_text("def make(:\n")
    with pytest.raises(InputError, match=message):
        resolve(name, base=code, architecture="pocket")


def test_an_unknown_builtin_is_answered_with_those_that_exist() -> None:
    with pytest.raises(InputError) as error:
        resolve("builtin:watercolour", base=Path())
    assert "cartoon" in error.value.do


def test_a_checkpoint_without_architecture_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.zeros(1))
    with pytest.raises(InputError, match="no architecture is given"):
        resolve("x.npz", base=tmp_path)


def test_a_checkpoint_of_ours_says_its_architecture(tmp_path: Path) -> None:
    save_checkpoint(
        Pocket(instance_norm=1), tmp_path / "x.safetensors", CheckpointMetadata("pocket", {"instance_norm": 1})
    )
    assert isinstance(resolve("x.safetensors", base=tmp_path).load(), Pocket)
    assert resolve("x.safetensors", base=tmp_path).architecture == "pocket"


def test_the_key_of_a_checkpoint_is_its_content(tmp_path: Path) -> None:
    torch.save(Pocket().state_dict(), tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes((tmp_path / "a.pt").read_bytes())
    torch.save(Pocket().state_dict(), tmp_path / "c.pt")
    a, b, c = (resolve(f"{n}.pt", base=tmp_path, architecture="pocket") for n in "abc")
    assert a.key == b.key != c.key
    assert isinstance(a.load(), Pocket)


def test_ranges_of_the_recipe_overrule_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"anything")
    assert resolve("x.onnx", base=tmp_path).ranges == Ranges()
    generator = resolve("x.onnx", base=tmp_path, ranges=(None, (-1.0, 1.0)))
    assert generator.ranges == Ranges((0.0, 255.0), (-1.0, 1.0))
    with pytest.raises(InputError, match="no torch module"):
        generator.load()


def test_files_and_builtins_resolve_without_torch(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"anything")
    (tmp_path / "x.npz").write_bytes(b"anything")
    script = (
        "import sys; from pathlib import Path; from pocketlens.models.source import resolve;"
        f"base = Path({str(tmp_path)!r});"
        "resolve('x.onnx', base=base); resolve('x.npz', base=base, architecture='fast-style');"
        "resolve('builtin:cartoon', base=base); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_module_that_cannot_run_at_the_size_still_resolves(tmp_path: Path) -> None:
    generator = wrap(torch.nn.Linear(5, 5), "odd")
    assert generator.kind == "module" and generator.ranges == Ranges()


def test_modules_with_other_weights_or_behaviour_have_other_keys() -> None:
    class Scale(torch.nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.factor

    keys = {
        wrap(m, "m", size=(16, 16)).key for m in (Scale(1), Scale(2), torch.nn.Identity(), torch.nn.Conv2d(3, 3, 1))
    }
    assert len(keys) == 4
    assert wrap(Scale(2), "m", size=(16, 16)).key in keys


def test_the_kinds_of_checkpoint_are_those_that_can_be_read() -> None:
    from pocketlens.models import weights

    assert source.CHECKPOINTS == weights.SUFFIXES


def test_values_beside_an_onnx_file_belong_to_it(tmp_path: Path) -> None:
    """Other weights in the data file are another generator, though the .onnx file is the same."""
    from onnx import TensorProto, helper, save_model
    from onnx.numpy_helper import from_array

    def write(value: float) -> str:
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, 8, 8]) for n in "xy"]
        weight = from_array(np.full((3, 3, 1, 1), value, np.float32), "w")
        graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        (tmp_path / "x.data").unlink(missing_ok=True)
        save_model(model, tmp_path / "x.onnx", save_as_external_data=True, location="x.data", size_threshold=0)
        return resolve("x.onnx", base=tmp_path).key

    first, text = write(0.5), (tmp_path / "x.onnx").read_bytes()
    assert write(0.25) != first and (tmp_path / "x.onnx").read_bytes() == text
    assert write(0.5) == first
