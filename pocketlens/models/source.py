"""Where a generator comes from: a recipe's ``source``, resolved without loading anything that is not needed yet.

A source is one of:

- ``wave.npz``, ``wave.safetensors``, ``wave.pt``, ``wave.pth``: a checkpoint; nothing in it is executed;
- ``wave.onnx``: an ONNX model; torch is never imported for it;
- ``wave.tflite``: a TFLite model, float or quantized, which becomes an ONNX model first;
- ``hf:path/to/folder``: a Hugging Face image-to-image model in a local folder; nothing is downloaded, and no code that
  comes with it is run;
- ``builtin:cartoon``: a filter that ships with Pocketlens;
- ``my_package.my_file:make`` or ``path/to/file.py:make``: a function without arguments that gives an ``nn.Module``.
  This imports and runs the user's own code, with the user's rights. It is for code that the user wrote or read.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pocketlens import files
from pocketlens.converters.ranges import Range, Ranges
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError, require
from pocketlens.models import hf_folder, zoo
from pocketlens.models.checkpoint_metadata import read_architecture, read_styles

if TYPE_CHECKING:
    from torch import nn

RangeOverrides = tuple[Range | None, Range | None]
"""The recipe's input and output range; None keeps the generator's own."""
Kind = Literal["checkpoint", "onnx", "tflite", "hf", "module", "builtin"]
CHECKPOINTS = (".npz", ".safetensors", ".pt", ".pth")
_WAYS_BACK = {
    ".h5": "convert it to ONNX first: python -m tf2onnx.convert --keras FILE --output model.onnx --opset 17",
    ".keras": "convert it to ONNX first: python -m tf2onnx.convert --keras FILE --output model.onnx --opset 17",
    ".pb": "convert it to ONNX first: python -m tf2onnx.convert --graphdef FILE --output model.onnx --opset 17",
    ".mlmodel": "give the model that it was converted from: an ONNX file, a checkpoint or a module",
    ".mlpackage": "give the model that it was converted from: an ONNX file, a checkpoint or a module",
}
"""What to do with files of other tools, by their suffix."""
_KINDS = (
    f"a file that ends in {', '.join((*CHECKPOINTS, '.onnx', '.tflite'))}, hf:FOLDER, module:factory, or builtin:NAME"
)


@dataclass(frozen=True)
class Source:
    """A generator that can be loaded.

    Attributes:
        name: A short name: the file's without its suffix, the folder's, the builtin's, or the factory's file or module.
        kind: What it is.
        key: A hash of everything that decides what the generator computes. For a module it comes from its weights,
            its structure, its operators, its code and what it gives for a test picture, whose last bits may differ on
            another machine. For all others it comes from the files' bytes, without torch.
        ranges: The generator's input and output range.
        multiple: Height and width must be multiples of this.
        architecture: The name of the architecture, or ``""``.
        path: The file or folder, or None for a module.
        styles: The names of a pack's styles, in the order of its second input; empty for a generator of one.
        signature: What of an ONNX or TFLite file is the picture, and what its other inputs are fixed to; a module is
            bound already.
        ranges_said: Whether the user, the module's own attributes or a quantized file's scales say both ranges.
        guided: How many times smaller, each way, the picture is that the generator computes on; 1 for the same size.
        strokes: The share of its strokes that is drawn over a guided output.
        load: Gives the generator in eval mode; imports torch. For a foreign file it raises InputError.
    """

    name: str
    kind: Kind
    key: str
    ranges: Ranges
    multiple: int
    architecture: str
    path: Path | None
    load: "Callable[[], nn.Module]" = field(repr=False, compare=False)
    styles: tuple[str, ...] = ()
    ranges_said: bool = False
    signature: Signature = field(default_factory=Signature)
    guided: int = 1
    strokes: float = 0.0

    def with_guided_output(self, guided: int, strokes: float = 0.0) -> "Source":
        """The same generator on a smaller picture, its result applied to the large one
        (:mod:`pocketlens.converters.guided`); itself for 1.
        """
        if guided == 1:
            return self
        from pocketlens.converters.guided import CELL

        key = files.key_of(source=self.key, guided=guided, strokes=strokes)
        multiple = math.lcm(self.multiple, CELL) * guided
        return replace(self, key=key, multiple=multiple, guided=guided, strokes=strokes)

    @property
    def is_foreign(self) -> bool:
        """Whether it is a file with a graph of its own, ``.onnx`` or ``.tflite``, of which there is no torch module."""
        return self.kind in ("onnx", "tflite")

    @property
    def generator(self) -> "Source":
        """The generator without guided output, under the same key."""
        return replace(self, guided=1, strokes=0.0)


def resolve(
    source: str,
    *,
    base: Path,
    architecture: str = "",
    ranges: RangeOverrides = (None, None),
    size: tuple[int, int] = (256, 256),
    signature: Signature | None = None,
) -> Source:
    """Find out what a source is.

    Args:
        source: As in the recipe; see this module's head.
        base: The folder that relative paths start from.
        architecture: The name of the checkpoint's architecture; not needed for the other kinds, nor for checkpoints
            that Pocketlens wrote, which say it.
        ranges: The input and output range, where they are not the architecture's or the module's own.
        size: Height and width in pixels at which a module is tried out.
        signature: What of the model is the picture, and what the rest is fixed to, for ``.onnx`` and ``.tflite`` files
            and modules.

    Raises:
        InputError: The source is none of these, is absent, or its factory fails; or it has no signature to choose.
        MissingError: A module is named and torch is not installed.
    """
    signature = replace(signature or Signature(), base=base)
    ranges = _normalized(signature, ranges)
    if source.startswith("builtin:"):
        resolved = _builtin(source)
    elif source.startswith("hf:"):
        resolved = _hugging_face(base / source.removeprefix("hf:"))
    elif Path(source).suffix.lower() == ".onnx":
        resolved = _onnx(base / source, signature)
    elif Path(source).suffix.lower() == ".tflite":
        resolved = _tflite(base / source, signature, ranges)
    elif Path(source).suffix.lower() in CHECKPOINTS:
        resolved = _checkpoint(base / source, architecture)
    elif ":" in source:
        require("torch", "build")
        from pocketlens.models.factory import make

        name = Path(source.rpartition(":")[0].removesuffix(".py")).name
        return wrap(make(source, base), name, ranges=ranges, size=size, signature=signature)
    else:
        way = _WAYS_BACK.get(Path(source).suffix.lower(), f"give {_KINDS}")
        raise InputError(f"the source {source!r} is no kind that can be read", do=way)
    if not signature.is_plain and not resolved.is_foreign:
        raise InputError(
            f"{source} is a picture in and a picture out: it has no inputs or outputs to choose",
            do="leave out the options about its signature",
        )
    said = resolved.ranges_said or None not in ranges
    return replace(resolved, ranges=_override(resolved.ranges, ranges), ranges_said=said)


def _normalized(signature: Signature, ranges: RangeOverrides) -> RangeOverrides:
    """With a mean and deviation the pixels go to the model as they are."""
    if signature.normalization() is None:
        return ranges
    if ranges[0] is not None:
        raise InputError("input_range and a mean or deviation are both given", do="give one of them")
    return (0.0, 255.0), ranges[1]


def wrap(
    module: "nn.Module",
    name: str,
    *,
    ranges: RangeOverrides = (None, None),
    size: tuple[int, int] = (256, 256),
    signature: Signature | None = None,
) -> Source:
    """A generator that is already there, for instance from the user's own program.

    Args:
        module: From ``float32 [1, 3, H, W]`` to the same; put into eval mode. Its attributes ``input_range``,
            ``output_range`` and ``multiple`` are used where it has them; with ``styles``, their names, it has a second
            input, how much of each, ``[1, styles]``.
        name: What it is called.
        ranges: The input and output range, where they are not the module's own.
        size: Height and width in pixels at which it is tried out.
        signature: Which of its inputs and outputs is the picture, where that is not all of them.

    Raises:
        InputError: It is no module, or says impossible things of itself.
    """
    from torch import nn

    from pocketlens.models.export import style_names
    from pocketlens.models.fingerprint import fingerprint

    if not isinstance(module, nn.Module):
        raise InputError(
            f"the generator is a {type(module).__name__}, expected an nn.Module", do="give the module itself"
        )
    default = Ranges()
    own = Ranges(getattr(module, "input_range", default.input), getattr(module, "output_range", default.output))
    multiple = getattr(module, "multiple", 1)
    if not isinstance(multiple, int) or multiple < 1:
        raise InputError(f"multiple of {name} is {multiple!r}, expected a number from 1", do="correct or remove it")
    key = fingerprint(module, size)
    styles = style_names(module)
    said = all(
        given is not None or hasattr(module, name)
        for name, given in zip(("input_range", "output_range"), ranges, strict=True)
    )
    ranges_here = _override(own, ranges)
    if signature is not None and not signature.is_plain:
        from pocketlens.models.bound import Bound

        module = Bound(module, signature)
        key = files.key_of(module=key, **signature.digests())
    return Source(
        name, "module", key, ranges_here, multiple, "", None, lambda: module, styles, said, signature or Signature()
    )


def _override(own: Ranges, ranges: RangeOverrides) -> Ranges:
    input_range, output_range = ranges
    return Ranges(input_range or own.input, output_range or own.output)


def _builtin(source: str) -> Source:
    builtin = zoo.builtin(source.removeprefix("builtin:"))
    return replace(_checkpoint(builtin.weights, builtin.architecture), kind="builtin")


def _onnx(path: Path, signature: Signature) -> Source:
    def load() -> "nn.Module":
        raise InputError(f"{path} is an ONNX model and no torch module", do="read it with converters.prepare.read_onnx")

    said = {} if signature.is_plain else signature.digests()
    key = files.key_of(kind="onnx", file=_hash(path), data=_external_data(path), **said)
    return Source(path.stem, "onnx", key, Ranges(), 1, "", path, load, signature=signature)


def _tflite(path: Path, signature: Signature, ranges: RangeOverrides) -> Source:
    def load() -> "nn.Module":
        raise InputError(f"{path} is a TFLite model and no torch module", do="read it with read_tflite")

    from pocketlens.converters.tflite_source.flatbuffer import read_file
    from pocketlens.converters.tflite_source.ranges import known_ranges

    said = {} if signature.is_plain else signature.digests()
    key = files.key_of(kind="tflite", file=_hash(path), **said)
    known = known_ranges(read_file(path), signature)
    if signature.normalization() is not None:
        known = None, known[1]
    is_known = all(override or own for override, own in zip(ranges, known, strict=True))
    own = _override(Ranges(), known)
    return Source(path.stem, "tflite", key, own, 1, "", path, load, ranges_said=is_known, signature=signature)


def _external_data(path: Path) -> list[str]:
    """Hashes of the files that hold a model's values outside the ``.onnx`` file, where it has such."""
    if b"location" not in path.read_bytes():  # the key that names such a file; so most models need no parser
        return []
    from pocketlens.converters.onnx_file import data_files

    return [_hash(file) for file in data_files(path)]


def _hugging_face(path: Path) -> Source:
    folder = hf_folder.read(path)

    def load() -> "nn.Module":
        require("torch", "hf")
        from pocketlens.models import huggingface

        return huggingface.load(folder)

    return Source(folder.name, "hf", folder.key, folder.ranges, folder.multiple, folder.model_type, path, load)


def _checkpoint(path: Path, architecture: str) -> Source:
    architecture = architecture or read_architecture(path)
    if not architecture:
        require("torch", "build")
        from pocketlens.models.checkpoint_match import unnamed_error

        raise unnamed_error(path)
    kind = zoo.architecture(architecture)

    def load() -> "nn.Module":
        from pocketlens.models import checkpoint

        return checkpoint.load(path, architecture)

    key = files.key_of(kind="checkpoint", file=_hash(path), architecture=architecture)
    styles = read_styles(path)
    return Source(path.stem, "checkpoint", key, kind.ranges, kind.multiple, architecture, path, load, styles)


def _hash(path: Path) -> str:
    if not path.exists():
        raise InputError(f"{path} does not exist", do="check source in the recipe")
    if not path.is_file():
        raise InputError(f"{path} is not a file", do="give the checkpoint or model itself")
    try:
        return files.sha256(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", do="check its permissions") from error
