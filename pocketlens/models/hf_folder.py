"""A Hugging Face model in a local folder: what its files say of it, read without torch or transformers.

Three files are read: ``config.json``, ``model.safetensors`` and, where it is there, ``preprocessor_config.json``.
Each may be a symbolic link, as in Hugging Face's own cache, where every file of a snapshot is one.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketlens import files
from pocketlens.converters.ranges import Ranges
from pocketlens.errors import InputError

CONFIG, WEIGHTS, PREPROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"
MAX_JSON = 1 << 20
"""The largest ``.json`` file that is read, in bytes; those of real models have a few thousand."""

_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_SHARDED = f"{WEIGHTS}.index.json"
_SAVE = "from_pretrained('…').save_pretrained('NEW_FOLDER', safe_serialization=True"


@dataclass(frozen=True)
class HfFolder:
    """A folder as ``save_pretrained`` writes it.

    Attributes:
        name: The folder's name.
        path: The folder.
        model_type: What ``config.json`` calls the architecture, for instance ``"swin2sr"``.
        fields: All of ``config.json``.
        ranges: What the image processor makes of black and white; 0..1 where the folder holds no image processor.
        multiple: Height and width must be multiples of this: the attention windows, which transformers leaves to the
            image processor to fill up.
        key: A hash of the configuration and the weights.
    """

    name: str
    path: Path
    model_type: str
    fields: dict[str, Any]
    ranges: Ranges
    multiple: int
    key: str


def read(path: Path) -> HfFolder:
    """Look at a folder; nothing in it is executed and nothing is downloaded.

    Raises:
        InputError: It is no folder, a file in it is absent or damaged, its weights are pickled or in several files, or
            its image processor does to a picture what a range cannot say.
    """
    if not path.is_dir():
        raise InputError(
            f"{path} is {'not a folder' if path.exists() else 'not there'}",
            do="give the folder of a downloaded model; get one by: hf download OWNER/NAME --local-dir FOLDER",
        )
    if (path / "model_index.json").exists() and not (path / CONFIG).exists():
        raise InputError(f"{path} is a diffusers pipeline", do="give the folder of one image-to-image model")
    fields = _json(path / CONFIG)
    model_type = fields.get("model_type")
    if not isinstance(model_type, str):
        raise InputError(
            f"{path / CONFIG} names no model_type", do="give the folder of a model that transformers can load"
        )
    _check_weights(path)
    key = files.key_of(kind="hf", config=_sha256(path / CONFIG), weights=_sha256(path / WEIGHTS))
    window = fields.get("window_size")
    multiple = window if type(window) is int and window > 0 else 1
    return HfFolder(path.resolve().name, path, model_type, fields, _ranges(path / PREPROCESSOR), multiple, key)


def _check_weights(path: Path) -> None:
    weights = path / WEIGHTS
    if weights.is_file():
        return
    pickled = next((name for name in _PICKLED if (path / name).exists()), None)
    if pickled:
        raise InputError(
            f"{path} holds its weights only as {pickled}, pickled Python objects, which can run any program when they"
            f" are loaded; expected {WEIGHTS}",
            do=f"where you trust it: transformers.AutoModelForImageToImage.{_SAVE})",
        )
    if (path / _SHARDED).exists():
        raise InputError(
            f"{path} holds its weights in several files; expected one {WEIGHTS}",
            do=f"put them into one: transformers.AutoModelForImageToImage.{_SAVE}, max_shard_size='2GB')",
        )
    raise InputError(f"{weights} {'is not a file' if weights.exists() else 'does not exist'}", do="download it again")


def _json(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file():
            raise InputError(
                f"{path} {'is not a file' if path.exists() else 'does not exist'}",
                do="give the folder that save_pretrained wrote, or that was downloaded",
            )
        if path.stat().st_size > MAX_JSON:
            raise InputError(f"{path} has more than {MAX_JSON:,} bytes", do="download it again")
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", do="check its permissions") from error
    except RecursionError as error:
        raise InputError(f"{path} is nested too deep", do="download it again") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise InputError(f"{path} is not JSON: {error}", do="download it again") from error
    if not isinstance(fields, dict):
        raise InputError(f"{path} holds a {type(fields).__name__}, expected an object", do="download it again")
    return fields


def _ranges(path: Path) -> Ranges:
    """What a white pixel becomes: 255 times the image processor's factor, which is 1/255 for nearly every model."""
    fields = _json(path) if path.exists() else {}
    if fields.get("do_normalize"):
        raise InputError(
            f"{path} normalizes with image_mean and image_std, which says nothing of the values that the model gives",
            do="take do_normalize out of that file and set input_range and output_range in the recipe",
        )
    factor = fields.get("rescale_factor", 1 / 255) if fields.get("do_rescale", True) else 1
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < math.inf:
        raise InputError(f"{path}: rescale_factor is {factor!r}, expected a number above 0", do="for instance 1/255")
    white = float(f"{255.0 * factor:.7g}")  # 1/255 is written with 17 digits or with 6
    return Ranges((0.0, white), (0.0, white))


def _sha256(path: Path) -> str:
    try:
        return files.sha256(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", do="check its permissions") from error
