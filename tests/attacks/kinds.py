"""The kinds of files and answers that strangers hand over: a good one of each, and how it is read."""

import base64
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pocketlens.errors import PocketlensError

LARGEST = 1 << 22
"""Values of a tensor from which a ``.tflite`` is refused here: to compute what it honestly declares is no hang."""
MAX_PARTS = 64
Read = Callable[[Path], object]


def _manifest() -> tuple[bytes, str, Read]:
    from pocketlens.bundle.read import open_bundle

    text = (Path(__file__).parent / "manifest.json").read_bytes()
    return text, "manifest.json", lambda path: open_bundle(path.parent)


def _document() -> tuple[bytes, str, Read]:
    from pocketlens.bench.compare import compare
    from pocketlens.bench.document import Document
    from tests.bench.samples import blocks_of, document, result

    good = document(result(blocks_of([1.5] * 20, [1.6] * 20)))

    def read(path: Path) -> None:
        compare(good, Document.read(path), force=True)

    return good.to_json().encode(), "local.json", read


def _recipe() -> tuple[bytes, str, Read]:
    from pocketlens.recipe import Recipe

    text = (
        '[filter]\nname = "wave"\nsource = "wave.npz"\nsizes = [[256, 256]]\nlicense = "MIT"\n'
        '[targets]\nonnx = ["int8"]\n'
        '[quantize]\nrules = [{match = "conv[0-9]+", setting = "float"}]\n[gate]\npsnr = 32\n[budget]\nfps = 30\n'
    )
    return text.encode(), "recipe.toml", Recipe.read


def _bundle() -> tuple[bytes, str, Read]:
    from pocketlens.bundle.read import open_bundle

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", (Path(__file__).parent / "manifest.json").read_bytes())
        archive.writestr("artifacts/a.onnx", bytes(500))

    def read(path: Path) -> None:
        with open_bundle(path) as bundle:
            bundle.check_hashes()

    return packed.getvalue(), "b.zip", read


def _picture() -> tuple[bytes, str, Read]:
    from PIL import Image

    from pocketlens import images

    made = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    kinds = []
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
        buffer = io.BytesIO()
        made.save(buffer, kind)
        kinds.append(buffer.getvalue())
    # One file of every format behind a byte that says which.
    return b"".join(len(k).to_bytes(4, "big") + k for k in kinds), "p.bin", lambda path: _each(path, images.decode)


def _each(path: Path, read: Read) -> None:
    data = path.read_bytes()
    while len(data) > 4:
        length = min(int.from_bytes(data[:4], "big"), 1 << 20)
        part = path.with_suffix(".png")
        part.write_bytes(data[4 : 4 + length])
        data = data[4 + length :]
        try:
            read(part)
        except PocketlensError:
            continue


def _tflite() -> tuple[bytes, str, Read]:
    from pocketlens.converters.emitter import Labels, emitter
    from pocketlens.runtimes import litert_library
    from pocketlens.runtimes.session import open_artifact
    from tests.generators import picture, small_graph

    litert_library.MAX_VALUES = LARGEST
    with tempfile.TemporaryDirectory() as folder:
        emitter("tflite").emit(small_graph(16, 16), "fp32", Labels("g"), Path(folder) / "g.tflite")
        good = (Path(folder) / "g.tflite").read_bytes()
    image = picture(16, 16)

    def read(path: Path) -> None:
        with open_artifact(path, "litert", threads=1) as session:
            session.floats(image)

    return good, "m.tflite", read


def _tflite_source() -> tuple[bytes, str, Read]:
    """The same kind of file as a generator to convert: it becomes a graph, and is not played."""
    from pocketlens.converters.emitter import Labels
    from pocketlens.converters.prepare import prepare
    from pocketlens.converters.quantization.plan import default_plan
    from pocketlens.converters.quantization.quantize import quantize
    from pocketlens.converters.ranges import Ranges
    from pocketlens.converters.signature import Signature
    from pocketlens.converters.tflite import emit
    from pocketlens.converters.tflite_source import import_file
    from pocketlens.converters.tflite_source.flatbuffer import read_file
    from pocketlens.converters.tflite_source.hybrid import widened
    from pocketlens.converters.tflite_source.ranges import known_ranges
    from pocketlens.targets import TARGETS
    from tests.generators import picture, small_graph

    rounded = quantize(small_graph(16, 16), default_plan("int8"), [picture(16, 16)], TARGETS["tflite"].quantizers)
    with tempfile.TemporaryDirectory() as folder:
        emit(rounded, "int8", Labels("g"), Path(folder) / "g.tflite")
        good = (Path(folder) / "g.tflite").read_bytes()

    def read(path: Path) -> None:
        file = read_file(path)
        known_ranges(file, Signature())
        widened(file)
        prepare(import_file(file), 16, 16, Ranges())

    return good, "m.tflite", read


def _onnx() -> tuple[bytes, str, Read]:
    import onnx_ir as ir

    from pocketlens.converters.onnx_file import read_onnx
    from pocketlens.converters.prepare import prepare
    from pocketlens.converters.ranges import Ranges
    from tests.generators import small_graph

    good = ir.to_proto(small_graph(16, 16)).SerializeToString()
    return good, "m.onnx", lambda path: prepare(read_onnx(path), 16, 16, Ranges())


def _weights(suffix: str) -> tuple[bytes, str, Read]:
    import torch
    from safetensors.torch import save

    from pocketlens.models import weights

    tensors = {"a.weight": torch.ones(4, 3, 3, 3), "a.bias": torch.zeros(4), "n": torch.tensor(3)}
    buffer = io.BytesIO()
    if suffix == ".npz":
        np.savez(buffer, **{name: value.numpy() for name, value in tensors.items()})
    elif suffix == ".safetensors":
        buffer.write(save(tensors))
    else:
        torch.save({"state_dict": tensors}, buffer)
    return buffer.getvalue(), f"w{suffix}", weights.read


def _packed(parts: "list[tuple[str, bytes]]") -> bytes:
    """Files of one folder as one file: what is changed is within them, and not a checksum around them."""
    return b"".join(len(name).to_bytes(2, "big") + name.encode() + len(d).to_bytes(4, "big") + d for name, d in parts)


def _unpacked(path: Path, suffix: str) -> Path:
    """The folder of a packed file."""
    data, folder = path.read_bytes(), path.with_suffix(suffix)
    shutil.rmtree(folder, ignore_errors=True)
    for _ in range(MAX_PARTS):
        if len(data) < 6:
            break
        named = 2 + min(int.from_bytes(data[:2], "big"), 255)
        name = "".join(c for c in data[2:named].decode("latin-1") if c.isalnum() or c in "._-/").strip("/.") or "x"
        length = int.from_bytes(data[named : named + 4], "big")
        part = folder / name.replace("..", "_")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data[named + 4 : named + 4 + length])
        except OSError:  # a file stands where a folder should
            pass
        data = data[named + 4 + length :]
    return folder


def _folder(target: str, suffix: str, runtime: str) -> tuple[bytes, str, Read]:
    from pocketlens.converters.emitter import Labels, emitter
    from pocketlens.files import files_under
    from pocketlens.runtimes.session import open_artifact
    from tests.generators import picture, small_graph

    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / f"g{suffix}"
        emitter(target).emit(small_graph(16, 16), "fp32", Labels("g"), made)
        parts = [(file.relative_to(made).as_posix(), file.read_bytes()) for file in files_under(made)]
    image = picture(16, 16)

    def read(path: Path) -> None:
        folder = _unpacked(path, suffix)
        with open_artifact(folder, runtime, threads=1) as session:
            session.floats(image)

    return _packed(parts), "m.bin", read


def _answers() -> tuple[bytes, str, Read]:
    """One answer a line, in the order of the commands; last what programs print on a device."""
    from pocketlens.bench import environment
    from pocketlens.bench.channel import _fields
    from pocketlens.bench.devices import benchmark_model, probe
    from pocketlens.bench.devices import worker_protocol as protocol

    image = np.zeros((2, 2, 3), np.uint8)
    info = {"version": "1", "threads": 1, "accelerator": None, "delegate": None, "precision": "fp32"}
    good = [
        {"load_ms": 5.0, "size": [2, 2], "baseline_mb": 10.5, "runtime_info": info},
        {
            "first_ms": 3.0, "shape": [2, 2, 3], "psnr": None, "largest_error": None,
            "stylized": base64.b64encode(zlib.compress(image.tobytes())).decode(),
        },
        {"frame_ms": [1.5, 1.25], "inference_ms": [1.0, 1.0]},
        {"peak_mb": 20.5},
        {"host": asdict(environment.host()), "emulation": ""},
        {"snapshot": asdict(environment.snapshot())},
    ]  # fmt: skip
    facts = {"python": [3, 11], "machine": "aarch64", "glibc": "2.36", "modules": ["numpy", "PIL"]}
    printed = (
        "pocketlens-probe "
        + json.dumps(facts)
        + "\ncount=3 first=20000 curr=22000 min=20000 max=24000 avg=22000 std=9\n"
        "Inference timings in us: Init: 5100, First inference: 30000, Warmup (avg): 21000, Inference (avg): 22000\n"
    )
    parsers: list[Callable[[dict[str, object]], object]] = [
        protocol.parse_load,
        lambda answer: protocol.parse_first_frame(answer, image, image),
        lambda answer: protocol.parse_block(answer, 2, 1.0),
        protocol.parse_peak_mb,
        protocol.parse_host,
        protocol.parse_snapshot,
    ]

    def read(path: Path) -> None:
        lines = path.read_bytes().split(b"\n", len(parsers))
        text = lines[-1].decode("utf-8", "replace")
        reads = [
            lambda parse=parse, line=line: parse(_fields(line)) for parse, line in zip(parsers, lines, strict=False)
        ]
        for one in (*reads, lambda: probe.parse(text), lambda: benchmark_model.parse(text)):
            try:
                one()
            except PocketlensError:
                continue

    return ("\n".join(map(json.dumps, good)) + "\n" + printed).encode(), "answers.txt", read


KINDS: dict[str, Callable[[], tuple[bytes, str, Read]]] = {
    "manifest": _manifest,
    "document": _document,
    "recipe": _recipe,
    "bundle": _bundle,
    "picture": _picture,
    "tflite": _tflite,
    "tflite-source": _tflite_source,
    "onnx": _onnx,
    "npz": lambda: _weights(".npz"),
    "safetensors": lambda: _weights(".safetensors"),
    "pt": lambda: _weights(".pt"),
    "mlpackage": lambda: _folder("coreml", ".mlpackage", "mil"),
    "aimodel": lambda: _folder("coreai", ".aimodel", "coreai"),
    "answers": _answers,
}
"""Every kind of file or answer that a stranger may hand over, and how it is read."""
