"""Hugging Face folders, on a Swin2SR of three layers with random weights that the tests make themselves."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from pocketlens.converters import graph as hub
from pocketlens.converters.emitter import Labels
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.verify import GRAPH_FLOORS
from pocketlens.errors import InputError, MissingError
from pocketlens.models import huggingface
from pocketlens.models.source import resolve
from pocketlens.pipeline.commands.convert import convert
from pocketlens.pipeline.commands.inspect import refused
from pocketlens.pipeline.eval_set import read_eval_set
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.stages.graph import export_graph
from pocketlens.pipeline.teacher import play_teacher
from pocketlens.targets import TARGETS

transformers = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
pytest.importorskip("optimum.exporters.onnx", reason="the extra 'hf' is not installed")

SIZE = (64, 56)
"""Not the size of a training crop, and not square."""
FIELDS: dict[str, Any] = {
    "image_size": 32, "patch_size": 1, "embed_dim": 8, "depths": [2], "num_heads": [2], "window_size": 8,
    "mlp_ratio": 2.0, "upscale": 1, "upsampler": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``save_pretrained`` writes it. The second layer shifts its windows, which is what Swin is about."""
    path = tmp_path_factory.mktemp("hf") / "restorer"
    torch.manual_seed(0)
    model = transformers.Swin2SRForImageSuperResolution(transformers.Swin2SRConfig(**FIELDS))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)  # fresh norms and biases would hide mistakes
    model.save_pretrained(path, safe_serialization=True)
    transformers.Swin2SRImageProcessor(do_pad=False).save_pretrained(path)
    return path


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def edit(copy: Path) -> Callable[..., None]:
    def change(name: str = "config.json", **fields: object) -> None:
        path = copy / name
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


@pytest.fixture(scope="module")
def offline() -> Any:
    """Nothing may look for the network, whatever a model's files say."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError(f"something connects to {arguments}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module")
def converted(folder: Path, offline: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POCKETLENS_CACHE", str(tmp_path_factory.mktemp("cache")))
        out = tmp_path_factory.mktemp("out")
        yield convert(f"hf:{folder}", ["onnx", "openvino", "tflite"], ["fp32"], out, size=SIZE)


def test_every_file_computes_what_the_model_computes(converted: Any) -> None:
    worst = {artifact.spec.id: artifact.verification.worst.psnr for artifact in converted}
    assert worst.keys() == {f"{target}-fp32-64x56" for target in ("onnx", "openvino", "tflite")}
    assert min(worst.values()) > GRAPH_FLOORS.file


def test_the_teacher_is_the_model_as_transformers_loads_it(folder: Path, converted: Any) -> None:
    judge = read_eval_set(None, *SIZE)
    model = transformers.AutoModelForImageToImage.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    inputs = processor(list(judge.pictures), return_tensors="pt")
    with torch.no_grad():
        expected = model.eval()(**inputs).reconstruction.clamp(0, 1).numpy().transpose(0, 2, 3, 1) * 255
    ours = np.stack(play_teacher(resolve(f"hf:{folder}", base=Path()), judge))
    assert expected.std() > 10  # a flat picture would equal nearly anything
    assert np.abs(expected - ours).max() < 0.01


def test_a_size_that_does_not_fill_the_windows_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs multiples of 8"):
        convert(f"hf:{folder}", ["onnx"], ["fp32"], tmp_path, size=(64, 60))


@pytest.mark.parametrize("window", [0, -8, "8", None, True])
def test_windows_that_are_no_number_are_not_a_multiple(copy: Path, edit: Any, window: object) -> None:
    edit(window_size=window)
    assert resolve("hf:copy", base=copy.parent).multiple == 1


def test_every_target_takes_its_attention(folder: Path, converted: Any) -> None:
    judge, source = read_eval_set(None, *SIZE), resolve(f"hf:{folder}", base=Path())
    graph = hub.load(export_graph(Evaluation.prepare(source, judge, Labels("case"))))
    hub.check(graph)
    assert not [refusal for target in TARGETS for refusal in refused(graph, target)]


def test_a_folder_resolves_without_torch_and_by_its_content(folder: Path, copy: Path) -> None:
    (copy / "README.md").write_text("no part of what it computes")
    script = (
        "import sys; from pathlib import Path; from pocketlens.models.source import resolve;"
        f"print(resolve('hf:copy', base=Path({str(copy.parent)!r})).key);"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    generator = resolve(f"hf:{folder}", base=Path())
    assert ran.returncode == 0 and ran.stdout.strip() == generator.key
    assert (generator.name, generator.kind, generator.ranges) == ("restorer", "hf", Ranges((0.0, 1.0), (0.0, 1.0)))
    weights = load_file(copy / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, copy / "model.safetensors")
    assert resolve("hf:copy", base=copy.parent).key != generator.key


def test_links_as_in_hugging_faces_cache_are_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(folder / name, tmp_path / "blobs" / f"{name}-hash")
        (tmp_path / "snapshot" / name).symlink_to(f"../blobs/{name}-hash")
    generator = resolve("hf:blobs/../snapshot", base=tmp_path)
    assert generator.key == resolve(f"hf:{folder}", base=Path()).key
    assert generator.ranges == Ranges((0.0, 1.0), (0.0, 1.0))  # without an image processor too
    (tmp_path / "blobs/model.safetensors-hash").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors does not exist"):
        resolve("hf:snapshot", base=tmp_path)


@pytest.mark.parametrize(
    ("fields", "white"),
    [
        ({"rescale_factor": 0.00392156862745098}, 1.0),
        ({"rescale_factor": 0.007843137}, 2.0),
        ({"do_rescale": False}, 255.0),
    ],
)
def test_the_range_is_the_image_processors(copy: Path, edit: Any, fields: dict[str, Any], white: float) -> None:
    edit("preprocessor_config.json", **fields)
    assert resolve("hf:copy", base=copy.parent).ranges.input == pytest.approx((0.0, white), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("preprocessor_config.json", {"do_normalize": True}, "normalizes with image_mean"),
        ("preprocessor_config.json", {"rescale_factor": "1/255"}, "rescale_factor is '1/255'"),
        ("preprocessor_config.json", {"rescale_factor": 0}, "rescale_factor is 0"),
        ("config.json", {"model_type": 7}, "names no model_type"),
    ],
)
def test_wrong_fields_are_refused_at_once(copy: Path, edit: Any, name: str, fields: Any, message: str) -> None:
    edit(name, **fields)
    with pytest.raises(InputError, match=message):
        resolve("hf:copy", base=copy.parent)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "", "is not JSON"),
        ("config.json", "[1]", "holds a list, expected an object"),
        ("config.json", "{'model_type': 'swin2sr'}", "is not JSON"),
        ("config.json", "[" * 100_000, "nested too deep"),
        ("config.json", " " * (1 << 20) + "{}", "has more than"),
        ("preprocessor_config.json", "\ud800", "is not JSON"),
    ],
)
def test_damaged_json_is_refused(copy: Path, name: str, text: str, message: str) -> None:
    (copy / name).write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(InputError, match=message):
        resolve("hf:copy", base=copy.parent)


def test_folders_that_lack_something_are_refused_with_the_next_step(copy: Path) -> None:
    def refusal() -> InputError:
        with pytest.raises(InputError) as caught:
            resolve("hf:copy", base=copy.parent)
        return caught.value

    weights = (copy / "model.safetensors").rename(copy / "kept")
    assert "does not exist" in refusal().what
    (copy / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../secret"}}')
    assert "several files" in refusal().what
    (copy / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/pwned'\ntR.")
    assert "pickled" in refusal().what and "safe_serialization=True" in refusal().do
    weights.rename(copy / "model.safetensors")
    assert resolve("hf:copy", base=copy.parent).kind == "hf"
    (copy / "config.json").rename(copy / "model_index.json")
    assert "diffusers" in refusal().what
    (copy / "config.json").mkdir()
    assert "is not a file" in refusal().what
    shutil.rmtree(copy)
    assert "not there" in refusal().what and "hf download" in refusal().do
    copy.write_text("a file")
    assert "not a folder" in refusal().what


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"upscale": 2, "upsampler": "pixelshuffle"}, "gives a picture 2 times as high and wide"),
        ({"num_channels": 1}, "has num_channels 1, expected 3"),
        ({"model_type": "bert"}, "is a 'bert' model; of those, transformers has no image-to-image"),
        ({"depths": [10**9]}, "claims 1,000,000,000 layers"),
        ({"depths": ["two"]}, "config.json is wrong"),
        ({"depths": None}, "config.json is wrong"),
        ({"window_size": 2000, "image_size": 4000}, "describes a network of .* bytes, more than"),
        ({"embed_dim": "wide"}, "describes no network that can be built"),
        ({"embed_dim": 10**7}, "does not fit config.json|more than"),
        ({"hidden_act": "os.system"}, "describes no network that can be built"),
        ({"embed_dim": 16}, "does not fit config.json: .* of another shape"),
        ({"num_heads": [4]}, "of another shape"),
        ({"depths": [3]}, "missing"),
        ({"depths": [1]}, "too many"),
    ],
)
def test_configurations_that_are_wrong_or_too_much_are_refused(
    copy: Path, edit: Any, offline: None, fields: dict[str, Any], message: str
) -> None:
    edit(**fields)
    with pytest.raises(InputError, match=message):
        resolve("hf:copy", base=copy.parent).load()


def test_fields_that_choose_code_or_kernels_are_not_read(copy: Path, edit: Any, offline: None) -> None:
    (copy / "evil.py").write_text("raise SystemExit('this was run')")
    edit(
        auto_map={"AutoModelForImageToImage": "evil.Model", "AutoConfig": "evil.Config"},
        attn_implementation="somebody/kernels", _attn_implementation="somebody/kernels",
        quantization_config={"quant_method": "bitsandbytes"}, return_dict=False, torch_dtype="float16",
    )  # fmt: skip
    (copy / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else", "peft_type": "LORA"}')
    given = resolve("hf:copy", base=copy.parent).load()(torch.zeros(1, 3, 16, 16))
    assert given.shape == (1, 3, 16, 16) and given.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensor: tensor * np.nan, "NaN or infinite"),
        (lambda tensor: tensor.int(), "is torch.int32, expected a float type"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(copy: Path, change: Any, message: str) -> None:
    weights = load_file(copy / "model.safetensors")
    save_file({name: change(tensor) for name, tensor in weights.items()}, copy / "model.safetensors")
    with pytest.raises(InputError, match=message):
        resolve("hf:copy", base=copy.parent).load()


def test_damaged_weights_are_refused(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(InputError, match="cannot be read"):
        resolve("hf:copy", base=copy.parent).load()


def test_half_precision_weights_are_widened(folder: Path, copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in weights.items()}, copy / "model.safetensors")
    noise = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        half, full = (resolve(f"hf:{path}", base=Path()).load()(noise) for path in (copy, folder))
    assert half.dtype == torch.float32 and 0 < (half - full).abs().max() < 0.02


def test_a_missing_library_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = resolve(f"hf:{folder}", base=Path())
    generator = source.load()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for work in (source.load, lambda: huggingface.export(generator, *SIZE, source.ranges)):
        with pytest.raises(MissingError) as caught:
            work()
        assert "pocketlens[hf]" in caught.value.do
