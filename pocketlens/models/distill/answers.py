"""What the teacher says to many pictures, asked once and kept."""

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
from pocketlens.models.distill.master import Features, Master
from pocketlens.models.shipped import photographs
from pocketlens.models.training import pictures

_COMPONENTS = 32
_SAMPLE = 12
"""Pictures that decide which combinations of the teacher's features are kept."""


@dataclass(frozen=True)
class Questions:
    """Which pictures a teacher is asked about.

    Attributes:
        sizes: Side in pixels → how many pictures of this side.
        seed: Of what is drawn.
    """

    sizes: tuple[tuple[int, int], ...] = ((256, 160), (192, 120), (128, 80))
    seed: int = 7


@dataclass(frozen=True)
class Answers:
    """Pictures of one side with the teacher's answers.

    Attributes:
        taken: ``uint8 [count, 3, side, side]``.
        given: The same, by the teacher.
        features: ``float16 [count, components, side/4, side/4]``, of variance 1, or None.
    """

    taken: NDArray[np.uint8]
    given: NDArray[np.uint8]
    features: NDArray[np.float16] | None


def ask(
    master: Callable[[], Master], key: str, questions: Questions, folder: Path | None,
    notify: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Answers]:  # fmt: skip
    """The answers to the questions, one entry a size; asked once for each key and folder of pictures.

    Args:
        master: Makes the teacher; not called where the answers are kept already.
        key: A hash of what the teacher computes.
        questions: Which pictures.
        folder: Whose pictures, or None for those that ship.
        notify: Told about progress.
    """
    shown = [files.sha256(path) for path in images.folder(folder)] if folder else [files.sha256(photographs.LIST)]

    whole = files.key_of(teacher=key, questions=asdict(questions), pictures=shown, version=2)
    said = files.cache_folder() / "asking" / whole

    def make(place: Path) -> None:
        _make(_remembered(master(), said), questions, pictures.read(folder), place, notify)

    place = files.cached("answers", whole, make)
    files.remove(said)
    found = []
    for side, _ in questions.sizes:
        arrays = [place / f"{side}-{name}.npy" for name in ("taken", "given", "features")]
        loaded = [np.load(p, allow_pickle=False) if p.exists() else None for p in arrays]
        assert loaded[0] is not None
        assert loaded[1] is not None
        found.append(Answers(loaded[0], loaded[1], loaded[2]))
    return found


def digest(answers: Sequence[Answers]) -> str:
    """The SHA-256 of all pictures and what they should become."""
    total = hashlib.sha256()
    for one in answers:
        for pictures_of in (one.taken, one.given):
            total.update(f"{pictures_of.shape}".encode())
            total.update(np.ascontiguousarray(pictures_of).data)
    return total.hexdigest()


def _remembered(master: Master, said: Path) -> Master:
    """A teacher whose pictures are kept until all are there: a slow effect that was stopped is not asked again.

    Those of teachers with features are not: their features are large, and they are quick.
    """
    numbers = itertools.count()

    def answer(picture: Picture) -> tuple[Floats, Features | None]:
        path = said / f"{next(numbers)}.npy"
        if path.exists():
            return np.load(path, allow_pickle=False).astype(np.float32), None
        pixels, thought = master(picture)
        if thought is None:
            with files.whole(path) as part, part.open("wb") as file:
                np.save(file, images.to_uint8(pixels))
        return pixels, thought

    return answer


def _make(
    master: Master, questions: Questions, shown: Sequence[Picture], place: Path,
    notify: Callable[[str, int, int], None],
) -> None:  # fmt: skip
    random = np.random.default_rng(questions.seed)
    total, done, basis = sum(count for _, count in questions.sizes), 0, None
    for side, count in questions.sizes:
        taken = np.empty((count, 3, side, side), np.uint8)
        given = np.empty_like(taken)
        kept: list[Features] = []
        features: list[NDArray[np.float16]] = []
        for i in range(count):
            picture = pictures.draw(shown, side, random)
            pixels, thought = master(picture)
            taken[i], given[i] = picture.transpose(2, 0, 1), images.to_uint8(pixels).transpose(2, 0, 1)
            if thought is not None and basis is None:
                kept.append(thought)
                if len(kept) == min(_SAMPLE, count):
                    basis = _basis(kept)
                    features = [_project(basis, one) for one in kept]
            elif thought is not None and basis is not None:
                features.append(_project(basis, thought))
            done += 1
            notify("asking the teacher", done, total)
        np.save(place / f"{side}-taken.npy", taken)
        np.save(place / f"{side}-given.npy", given)
        if features:
            np.save(place / f"{side}-features.npy", np.stack(features))


def _basis(sample: Sequence[Features]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and principal components of features, scaled so that what they give has variance 1."""
    flat = torch.cat([torch.from_numpy(one).flatten(1) for one in sample], 1).double()
    mean = flat.mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh((flat - mean) @ (flat - mean).T / flat.shape[1])
    count = min(_COMPONENTS, len(values))
    chosen = vectors[:, -count:] / values[-count:].clamp_min(1e-12).sqrt()
    return mean.float().numpy(), chosen.T.float().numpy()


def _project(basis: tuple[NDArray[np.float32], NDArray[np.float32]], thought: Features) -> NDArray[np.float16]:
    mean, components = basis
    flat = components @ (thought.reshape(len(thought), -1) - mean)
    return np.clip(flat, -30, 30).reshape(len(components), *thought.shape[1:]).astype(np.float16)
