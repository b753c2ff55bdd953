"""Damaged files of one kind, read in this process: ``python -m tests.attacks.fuzz KIND FIRST COUNT``.

A case is a good file with a few changed, cut, repeated or exchanged bytes, by its number alone. Each may give a result
or a PocketlensError. Anything else ends the process or is printed: a crash, another exception, five seconds of
processor time, more than two gigabytes of memory, a file opened outside its folder. The last line is ``done``; before
each case its number is printed.
"""

import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from pocketlens.errors import PocketlensError

ROOM = 2_000_000_000
"""Bytes of address space that a case may take beside what the process had when it began."""
SECONDS = 5
LARGEST = 1 << 22
"""Values of a tensor from which a ``.tflite`` is refused here: to compute what it honestly declares is no hang."""
_WORDS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0", b"\xfe\xff\xff\xff")
_TEXTS = (b"../", b"/etc/passwd", b"-1", b"1e999", b"null", b"[" * 3000, b'"\\ud800"', b"9" * 400, b"{}")

Read = Callable[[Path], object]


def damaged(good: bytes, number: int) -> bytes:
    """The good file, changed in one to five places."""
    rng, data = random.Random(number), bytearray(good)
    for _ in range(rng.randint(1, 5)):
        place, way = rng.randrange(len(data) or 1), rng.random()
        if way < 0.3:
            data[place : place + 1] = bytes([rng.randrange(256)])
        elif way < 0.5:
            data[place : place + 4] = rng.choice(_WORDS)
        elif way < 0.65:
            data[place : place + 1] = bytes([(data[place] if data else 0) ^ (1 << rng.randrange(8))])
        elif way < 0.75:
            data[place:place] = rng.choice(_TEXTS)
        elif way < 0.85:
            other = rng.randrange(len(data) or 1)
            data[place : place + 16] = data[other : other + 16]
        elif way < 0.95:
            del data[place : place + rng.randint(1, 9)]
        else:
            del data[place:]
    return bytes(data)


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


KINDS: dict[str, Callable[[], tuple[bytes, str, Read]]] = {
    "manifest": _manifest,
    "document": _document,
    "recipe": _recipe,
    "bundle": _bundle,
    "picture": _picture,
    "tflite": _tflite,
    "onnx": _onnx,
    "npz": lambda: _weights(".npz"),
    "safetensors": lambda: _weights(".safetensors"),
    "pt": lambda: _weights(".pt"),
}
"""Every kind of file that a stranger may hand over, and how it is read."""


def main(kind: str, first: int, count: int) -> None:
    good, name, read = KINDS[kind]()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch).resolve()
        tempfile.tempdir = str(folder)
        _attempt(read, folder / name, good)
        _confine(folder)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + ROOM,) * 2)
        for number in range(first, first + count):
            print(number, flush=True)
            (folder / name).write_bytes(damaged(good, number))
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            try:
                read(folder / name)
            except PocketlensError:
                pass
            except Exception as error:  # noqa: BLE001 - what is not in words is what this looks for
                print(json.dumps({"case": number, "error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
            signal.setitimer(signal.ITIMER_PROF, 0)
    print("done", flush=True)


def _attempt(read: Read, path: Path, good: bytes) -> None:
    """The good file, so that everything that is imported late is here before the limits are."""
    path.write_bytes(good)
    with suppress(PocketlensError):
        read(path)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _confine(folder: Path) -> None:
    """Tell of every file that is opened outside the folder, the program's own aside."""
    allowed = [
        folder,
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(__file__).resolve().parents[2],
        *map(Path, ("/usr", "/proc", "/sys", "/dev")),
    ]
    allowed += [one.resolve() for one in allowed]

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = Path(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 - no link is followed
        written = isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if not any(path.is_relative_to(a) for a in (allowed[:1] if written else allowed)):
            print(json.dumps({"opened": str(path)}), flush=True)

    sys.addaudithook(heard)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
