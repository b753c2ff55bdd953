"""Tables that people write in TOML, for instance a recipe: read within bounds, validated to the last key."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pocketlens.errors import InputError
from pocketlens.files import regular
from pocketlens.site import page

_MAX_TEXT = 20_000
"""Longest text, in characters."""
_MAX_LINES = 20
"""Most faults of a file that one message names."""
_LONG_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){30}""")
"""A dotted key that takes the parser of TOML a time that grows with the square of its length."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _without_control(text: str) -> str:
    if found := _CONTROL.search(text):
        raise ValueError(f"it holds the control character {found[0]!r}")
    return text


Text = Annotated[str, Field(max_length=10_000), AfterValidator(_without_control)]
"""What people read, in a terminal too."""
MAX_BYTES = 1_000_000


class Table(BaseModel):
    """A table of such a file: every key is known, every text and number is bounded."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=_MAX_TEXT)


class TomlFile(Table):
    """A whole file.

    Attributes:
        noun: What messages call it.
        guide: The page of the documentation that has every key.
        renamed: Keys of earlier versions, and what they are called now.
    """

    noun: ClassVar[str] = "recipe"
    guide: ClassVar[str] = "recipe"
    renamed: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def parse(cls, text: str, where: str = "") -> Self:
        """Validate the text of a file.

        Raises:
            InputError: It is not TOML, or a key or value is wrong; names the field and the nearest known key.
        """
        where = where or cls.noun
        example, keys = f"see {page(cls.guide)} for an example", f"see {page(cls.guide)} for every key"
        try:
            if _LONG_KEY.search(text):
                raise InputError(f"{where} has a key of more than 30 parts", do=keys)
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{where} is not TOML: {error}", do=example) from error
        except RecursionError as error:
            raise InputError(f"{where} is nested too deep", do=example) from error
        except ValidationError as error:
            # A list whose only entry is wrong is also called empty: the entry alone is what to mend.
            found = error.errors()
            inner = {detail["loc"][:depth] for detail in found for depth in range(len(detail["loc"]))}
            wrong = [detail for detail in found if detail["loc"] not in inner]
            lines = [f"  {_line(cls, detail)}" for detail in wrong[:_MAX_LINES]]
            if len(wrong) > _MAX_LINES:
                lines.append(f"  and {len(wrong) - _MAX_LINES:,} more")
            faults = "\n".join(lines)
            raise InputError(f"{where} is wrong:\n{faults}", do=keys) from error
        except ValueError as error:  # a number of more digits than Python reads
            raise InputError(f"{where} is not TOML: {error}", do=example) from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and validate a file; see :meth:`parse`."""
        give = f"give a {cls.noun} in TOML"
        try:
            if regular(path).stat().st_size > MAX_BYTES:
                raise InputError(f"{path} is larger than {MAX_BYTES:,} bytes", do=give)
            return cls.parse(path.read_text(encoding="utf-8-sig"), str(path))
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not text", do=give) from error
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", do="check the path") from error


def _line(root: type[TomlFile], detail: Any) -> str:
    location = [str(part) for part in detail["loc"]]
    where = ".".join(location) or root.noun
    if detail["type"] == "extra_forbidden":
        if successor := root.renamed.get(".".join(part for part in location if not part.isdigit())):
            return f"{where}: called {successor} now"
        known = _keys_beside(root, location)
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
        return f"{where}: unknown key; " + (f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{where}: missing"
    if detail["type"] == "value_error":
        return f"{where}: {message}"
    return f"{where}: {message[0].lower()}{message[1:]}, found {detail['input']!r}"


def _keys_beside(root: type[BaseModel], location: list[str]) -> list[str]:
    table: Any = root
    for part in location[:-1]:
        if part.isdigit():  # a place in a list of tables
            continue
        field = table.model_fields.get(part)
        if field is None:
            return []
        table = next((t for t in get_args(field.annotation) if hasattr(t, "model_fields")), field.annotation)
    return sorted(table.model_fields)
