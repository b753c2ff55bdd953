"""The file that lists the styles of a pack: ``pack.toml``."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from pocketlens.errors import InputError
from pocketlens.toml_file import Table, TomlFile

KINDS = ("painting", "effect", "pairs", "folders", "teacher")
"""What a style can be made from; each is a key of its table."""


class PackStyle(Table):
    """One style of a pack.

    Attributes:
        name: What it is called.
        painting: A picture with the style.
        strength: Of a painting: the share of its style.
        size: Of a painting: the shorter side in pixels at which it is read.
        own_colours: Of a painting: the share of the photograph's own colours.
        effect: ``file.py:function`` or ``module:function``. It is run.
        pairs: Folders before and after, with pictures of the same names.
        folders: Folders of pictures that are not pairs.
        teacher: A checkpoint or ``.onnx`` file.
        architecture: Of the teacher, where its file does not say it.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    painting: str = ""
    strength: float = 1.0
    size: int = 256
    own_colours: float = 0.0
    effect: str = ""
    pairs: tuple[str, str] | None = None
    folders: tuple[str, str] | None = None
    teacher: str = ""
    architecture: str = ""


class PackFile(TomlFile):
    """What ``pack.toml`` says.

    Attributes:
        base: A pack that gets these styles in addition: a checkpoint, or ``builtin:NAME``; a new pack if left out.
        style: The styles.
    """

    noun: ClassVar[str] = "pack"
    guide: ClassVar[str] = "style-packs"

    base: str = ""
    style: Annotated[tuple[PackStyle, ...], Field(min_length=1, max_length=32)]


def read_pack_file(path: Path) -> PackFile:
    """Read the file.

    Raises:
        InputError: It is absent, no TOML, or says what makes no sense; the message says where.
    """
    pack = PackFile.read(path)
    for style in pack.style:
        given = [kind for kind in KINDS if getattr(style, kind)]
        if len(given) != 1:
            raise InputError(
                f"the style {style.name!r} of {path} is made from {' and '.join(given) or 'nothing'}",
                do=f"give one of {', '.join(KINDS)}",
            )
    names = [style.name for style in pack.style]
    if len(set(names)) < len(names) or (not pack.base and len(names) < 2):
        raise InputError(
            f"the styles of {path} are {', '.join(names)}", do="a pack has several styles, each of another name"
        )
    return pack
