"""What a search is about, copied into the cache: so that nothing changes under it, and other machines can have it."""

import json
from dataclasses import dataclass
from pathlib import Path

from pocketlens import files, images
from pocketlens.errors import InputError
from pocketlens.models.source import CHECKPOINTS
from pocketlens.pipeline.commands.distill import recipe_source
from pocketlens.recipe import Recipe

KIND = "search-inputs"


@dataclass(frozen=True)
class Inputs:
    """A recipe and everything that it names, by content.

    Attributes:
        key: Of the entry of the cache, of kind :data:`KIND`.
        recipe: The recipe, whose paths are relative to the entry.
        pictures: A hash of the pictures that judge, calibrate and train.
    """

    key: str
    recipe: Recipe
    pictures: str

    @property
    def folder(self) -> Path:
        """The entry's folder.

        Raises:
            InputError: It is not in this cache.
        """
        found = files.lookup(KIND, self.key)
        if found is None:
            raise InputError(
                f"the copy of {self.recipe.filter.name} and its pictures is not in {files.cache_folder()}",
                do="run the search again: it makes a new copy",
            )
        return found


def freeze(recipe: Recipe, base: Path) -> Inputs:
    """Copy the source, the pictures and the licence of a recipe into the cache.

    Args:
        recipe: The recipe.
        base: The folder that its paths are relative to.

    Raises:
        InputError: One of them is absent, or the source is code.
    """
    recipe_source(recipe.filter, base)  # says what is wrong with it
    paths: dict[str, Path] = {}
    about, pictures = recipe.filter, recipe.pictures
    changes = {"source": _source(about.source, base, paths)}
    if about.license_file:
        changes["license_file"] = _add(base / about.license_file, "license", paths)
    constants = {name: _constant(name, value, base, paths) for name, value in about.constants.items()}
    folders = {name: _folder(base / value, name, paths) for name, value in pictures.model_dump().items() if value}
    frozen = recipe.model_copy(
        update={
            "filter": about.model_copy(update={**changes, **({"constants": constants} if constants else {})}),
            "pictures": pictures.model_copy(update=folders),
        }
    )
    hashes = {name: files.sha256(path) for name, path in sorted(paths.items())}

    def make(place: Path) -> None:
        for name, path in paths.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            files.copy(path, place / name)
        (place / "files.json").write_text(json.dumps(hashes, indent=2))  # so that no entry is empty

    key = files.key_of(files=hashes)
    files.cached(KIND, key, make)
    shown = {name: digest for name, digest in hashes.items() if name.split("/")[0] in folders}
    return Inputs(key, frozen, files.key_of(pictures=shown))


def _source(source: str, base: Path, paths: dict[str, Path]) -> str:
    if source.startswith("builtin:"):
        return source
    if source.startswith("hf:"):
        return "hf:" + _add(base / source.removeprefix("hf:"), "source", paths)
    path = base / source
    if path.suffix.lower() == ".onnx":
        from pocketlens.converters.onnx_file import data_files

        for data in data_files(path):
            _add(data, f"source/{data.relative_to(path.parent).parent}", paths)
    elif path.suffix.lower() not in CHECKPOINTS:
        raise InputError(
            f"the source {source} is code, and a search copies its source",
            do="save a checkpoint or an .onnx file of it",
        )
    return _add(path, "source", paths)


def _constant(name: str, value: float | str, base: Path, paths: dict[str, Path]) -> float | str:
    return _add(base / value, f"constant-{name}", paths) if isinstance(value, str) else value


def _folder(path: Path, name: str, paths: dict[str, Path]) -> str:
    if name == "clip" and path.is_file():
        return _add(path, name, paths)
    for picture in images.folder(path):
        _add(picture, name, paths)
    return name


def _add(path: Path, folder: str, paths: dict[str, Path]) -> str:
    name = (Path(folder) / path.name).as_posix()
    paths[name] = path
    return name
