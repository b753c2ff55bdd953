"""The pictures of an evaluation: those that score, those that calibrate, and a clip; known by their content."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pocketlens import images
from pocketlens.errors import InputError
from pocketlens.files import key_of, sha256
from pocketlens.images import Picture
from pocketlens.pipeline import clips

SHIPPED = Path(__file__).parents[1] / "models/photographs/pictures"
"""Pictures that come with Pocketlens, for recipes that name none; their licences are beside them."""
BLENDED = "blended"
"""What the even blend of all styles is called."""
MAX_PICTURES = 12
"""Pictures read at most, to score and to calibrate: each is played by the teacher and by every artifact."""


@dataclass(frozen=True)
class EvalSet:
    """The pictures of one size.

    Attributes:
        names: File names of the evaluation pictures, without their folder.
        pictures: The evaluation pictures, ``uint8 [height, width, 3]`` each; scaled to cover the size and cropped in
            the middle.
        calibration: Pictures that quantization may look at; none of them is an evaluation picture.
        clip: Consecutive frames, to measure flicker on.
        styles: Of a pack, how much of each style each evaluation picture gets, ``[styles]``; else empty.
        is_clip: Whether the evaluation pictures are frames behind each other.
    """

    names: tuple[str, ...]
    pictures: tuple[Picture, ...]
    calibration: tuple[Picture, ...] = ()
    clip: tuple[Picture, ...] = ()
    styles: tuple[tuple[float, ...], ...] = ()
    is_clip: bool = False

    def styled(self, names: Sequence[str]) -> "EvalSet":
        """Every picture in every style, the first style's in front, and the first picture in an even blend of all."""
        count = len(names)
        shown = [
            (f"{title}, {name}", picture, pure(i, count))
            for i, name in enumerate(names)
            for title, picture in zip(self.names, self.pictures, strict=True)
        ]
        shown.append((f"{self.names[0]}, {BLENDED}", self.pictures[0], (1.0 / count,) * count))
        titles, pictures, styles = zip(*shown, strict=True)
        return replace(self, names=titles, pictures=pictures, styles=styles)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every picture, in pixels."""
        height, width = self.pictures[0].shape[:2]
        return height, width

    def digest(self) -> str:
        """SHA-256 over the pixels of all of them, in hex."""
        pixels = digest_of(*self.pictures, None, *self.calibration, None, *self.clip)
        if self.is_clip:
            return key_of(pictures=pixels, styles=self.styles, clip=True)
        return key_of(pictures=pixels, styles=self.styles) if self.styles else pixels

    def calibration_set(self) -> "EvalSet":
        """The calibration pictures, as a set of their own."""
        return EvalSet(tuple(f"calibration picture {i + 1}" for i in range(len(self.calibration))), self.calibration)

    def clip_set(self) -> "EvalSet":
        """The clip's frames, as a set of their own, so that the teacher plays them in the same way; of a pack, in its
        first style.
        """
        names = tuple(f"frame {i}" for i in range(len(self.clip)))
        return EvalSet(names, self.clip, styles=self.styles[:1] * len(self.clip), is_clip=True)


def pure(index: int, count: int) -> tuple[float, ...]:
    """The weights of one style of several alone."""
    return tuple(float(i == index) for i in range(count))


def digest_of(*pictures: Picture | None) -> str:
    """SHA-256 over pixels, in hex; None parts two lists."""
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(b"|" if picture is None else repr(picture.shape).encode() + picture.tobytes())
    return digest.hexdigest()


def read_eval_set(
    folder: Path | None, height: int, width: int, *, calibrate: Path | None = None, clip: Path | None = None
) -> EvalSet:
    """Read the first :data:`MAX_PICTURES` pictures of each folder, or those that ship.

    Args:
        folder: Of judge pictures; None for those that ship.
        height: In pixels.
        width: In pixels.
        calibrate: Folder of pictures that calibrate; None for those that ship.
        clip: A video or a folder of frames; None for one made from the first judge picture.

    Raises:
        InputError: A folder is absent or empty, a picture cannot be read, or one both calibrates and judges.
    """
    paths = images.folder(folder or SHIPPED / "judge")[:MAX_PICTURES]
    others = images.folder(calibrate or SHIPPED / "calibrate")[:MAX_PICTURES]
    read, looked_at = [images.read(p) for p in paths], [images.read(p) for p in others]
    check_apart(list(zip(paths, read, strict=True)), list(zip(others, looked_at, strict=True)))
    return EvalSet(
        tuple(p.name for p in paths),
        tuple(images.fill(p, height, width) for p in read),
        tuple(images.fill(p, height, width) for p in looked_at),
        clips.read(clip, height, width) if clip else clips.synthetic(read[0], height, width),
    )


def check_unseen(judge: Path, train: Path) -> None:
    """Check that no file of the folder that judges is also in the one that trains.

    Raises:
        InputError: One is; names both, or says which folder is absent or empty.
    """
    known = {sha256(path): path for path in images.folder(judge)[:MAX_PICTURES]}
    for path in images.folder(train):
        _check_new(path, known.get(sha256(path)), "trains")


def check_apart(judging: Sequence[tuple[Path, Picture]], calibrating: Sequence[tuple[Path, Picture]]) -> None:
    """Check that no picture both calibrates and judges, whatever the files are called.

    Raises:
        InputError: One does; names both files.
    """
    known = {digest_of(picture): path for path, picture in judging}
    for path, picture in calibrating:
        _check_new(path, known.get(digest_of(picture)), "calibrates")


def _check_new(path: Path, same: Path | None, does: str) -> None:
    if same is not None:
        raise InputError(
            f"{path} {does} and, as {same}, judges: it would judge what it has seen",
            do="take it out of one of the two folders",
        )
