"""The file that lists the styles of a pack: ``pack.toml``."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pocketlens.errors import InputError

KINDS = ("painting", "effect", "pairs", "folders", "teacher")
"""What a style can be made from; each is a key of its table."""
_MAX_LINES = 20


class PackStyle(BaseModel):
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

    model_config = ConfigDict(extra="forbid", frozen=True)

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

    @property
    def kind(self) -> str:
        """The one of :data:`KINDS` that it is made from."""
        return next(kind for kind in KINDS if getattr(self, kind))


class PackFile(BaseModel):
    """What ``pack.toml`` says.

    Attributes:
        base: A pack that gets these styles in addition: a checkpoint, or ``builtin:NAME``; a new pack if left out.
        style: The styles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = ""
    style: Annotated[tuple[PackStyle, ...], Field(min_length=1, max_length=32)]


def read_pack_file(path: Path) -> PackFile:
    """Read the file.

    Raises:
        InputError: It is absent, no TOML, or says what makes no sense; the message says where.
    """
    try:
        pack = PackFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", do="give a TOML file with one [[style]] a style") from error
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, entry['loc']))}: {entry['msg']}" for entry in error.errors()[:_MAX_LINES]]
        raise InputError("\n".join([f"{path} is wrong:", *lines]), do="mend these keys") from error
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
