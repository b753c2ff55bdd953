"""Datasets to distill from: what a teacher gives for many pictures, recorded once and kept in the cache."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pocketlens import files, images
from pocketlens.images import Floats, Picture
from pocketlens.models.distill.feature_teacher import FeatureMaps, FeatureTeacher
from pocketlens.models.photographs import photographs
from pocketlens.models.training import pictures
from pocketlens.progress import Progress, silent

_COMPONENTS = 32
_SAMPLE = 12
"""Pictures that decide which combinations of the teacher's feature maps are kept."""


@dataclass(frozen=True)
class DatasetSpec:
    """Which pictures a teacher is shown.

    Attributes:
        sizes: Side in pixels → how many pictures of this side.
        seed: Of what is drawn.
    """

    sizes: tuple[tuple[int, int], ...] = ((256, 160), (192, 120), (128, 80))
    seed: int = 7


@dataclass(frozen=True)
class DistillationDataset:
    """Pictures of one side with the teacher's outputs.

    Attributes:
        inputs: ``uint8 [count, 3, side, side]``.
        targets: The teacher's outputs for them, of the same shape.
        features: ``float16 [count, components, side/4, side/4]``, of variance 1, or None.
    """

    inputs: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    features: NDArray[np.float16] | None


def record_teacher(
    make_teacher: Callable[[], FeatureTeacher], key: str, spec: DatasetSpec, folder: Path | None,
    notify: Progress = silent,
) -> list[DistillationDataset]:  # fmt: skip
    """Show a teacher pictures and keep its outputs: one dataset a size, recorded once for each key and folder of
    pictures.

    Args:
        make_teacher: Makes the teacher; not called where its outputs are in the cache already.
        key: A hash of what the teacher computes.
        spec: Which pictures.
        folder: The folder of pictures, or None for those that ship.
        notify: Told about progress.
    """
    full_key = dataset_key(key, spec, folder)
    partial = files.cache_folder() / "asking" / full_key

    def make(place: Path) -> None:
        _record(_resumable(make_teacher(), partial), spec, pictures.read_pictures(folder), place, notify)

    place = files.cached("answers", full_key, make)
    files.remove(partial)
    datasets = []
    for side, _ in spec.sizes:
        arrays = [place / f"{side}-{name}.npy" for name in ("taken", "given", "features")]
        inputs, targets, features = (np.load(p, allow_pickle=False) if p.exists() else None for p in arrays)
        assert inputs is not None
        assert targets is not None
        datasets.append(DistillationDataset(inputs, targets, features))
    return datasets


def dataset_key(key: str, spec: DatasetSpec, folder: Path | None) -> str:
    """The key of the entry of kind ``answers`` in the cache; arguments as of :func:`record_teacher`."""
    shown = [files.sha256(path) for path in images.folder(folder)] if folder else [files.sha256(photographs.LIST)]
    # The words in the key and in the cache's file names are those of earlier versions, so that their entries are found.
    return files.key_of(teacher=key, questions=asdict(spec), pictures=shown, version=2)


def digest(datasets: Sequence[DistillationDataset]) -> str:
    """The SHA-256 of all pictures and what they should become."""
    total = hashlib.sha256()
    for dataset in datasets:
        for values in (dataset.inputs, dataset.targets):
            total.update(f"{values.shape}".encode())
            total.update(np.ascontiguousarray(values).data)
    return total.hexdigest()


def _resumable(teacher: FeatureTeacher, partial: Path) -> FeatureTeacher:
    """A teacher whose outputs are kept until all are there: a slow effect that was stopped is not run again.

    Those of teachers with feature maps are not kept: the maps are large, and these teachers are quick.
    """
    numbers = itertools.count()

    def run(picture: Picture) -> tuple[Floats, FeatureMaps | None]:
        path = partial / f"{next(numbers)}.npy"
        if path.exists():
            return np.load(path, allow_pickle=False).astype(np.float32), None
        pixels, features = teacher(picture)
        if features is None:
            with files.whole(path) as part, part.open("wb") as file:
                np.save(file, images.to_uint8(pixels))
        return pixels, features

    return run


def _record(
    teacher: FeatureTeacher, spec: DatasetSpec, shown: Sequence[Picture], place: Path,
    notify: Progress,
) -> None:  # fmt: skip
    random = np.random.default_rng(spec.seed)
    total, done, basis = sum(count for _, count in spec.sizes), 0, None
    for side, count in spec.sizes:
        inputs = np.empty((count, 3, side, side), np.uint8)
        targets = np.empty_like(inputs)
        sample: list[FeatureMaps] = []
        projected: list[NDArray[np.float16]] = []
        for i in range(count):
            picture = pictures.draw_sample(shown, side, random)
            pixels, features = teacher(picture)
            inputs[i], targets[i] = picture.transpose(2, 0, 1), images.to_uint8(pixels).transpose(2, 0, 1)
            if features is not None and basis is None:
                sample.append(features)
                if len(sample) == min(_SAMPLE, count):
                    basis = _principal_components(sample)
                    projected = [_project(basis, maps) for maps in sample]
            elif features is not None and basis is not None:
                projected.append(_project(basis, features))
            done += 1
            notify("recording the teacher's outputs", done, total)
        np.save(place / f"{side}-taken.npy", inputs)
        np.save(place / f"{side}-given.npy", targets)
        if projected:
            np.save(place / f"{side}-features.npy", np.stack(projected))


def _principal_components(sample: Sequence[FeatureMaps]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and principal components of feature maps, scaled so that what they give has variance 1."""
    flat = torch.cat([torch.from_numpy(maps).flatten(1) for maps in sample], 1).double()
    mean = flat.mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh((flat - mean) @ (flat - mean).T / flat.shape[1])
    count = min(_COMPONENTS, len(values))
    chosen = vectors[:, -count:] / values[-count:].clamp_min(1e-12).sqrt()
    return mean.float().numpy(), chosen.T.float().numpy()


def _project(basis: tuple[NDArray[np.float32], NDArray[np.float32]], features: FeatureMaps) -> NDArray[np.float16]:
    mean, components = basis
    flat = components @ (features.reshape(len(features), -1) - mean)
    return np.clip(flat, -30, 30).reshape(len(components), *features.shape[1:]).astype(np.float16)
