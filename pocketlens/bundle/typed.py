"""From JSON data to frozen dataclasses, with every field checked. It stands in for pydantic, which a Pi need not
install.
"""

import dataclasses
import functools
import json
import math
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pocketlens.errors import InputError
from pocketlens.quick_dataclass import dataclass

T = TypeVar("T")
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


MAX_CHARACTERS = 64_000_000
"""Longest document, in characters; a million frames have a quarter of it."""
MAX_TEXT = 20_000
"""Longest text in a document, in characters, keys included."""
MAX_NUMBER = 1e15
"""Largest number in a document: a time in ms, a size in bytes. Sums and ratios of such numbers stay finite."""
MIN_NUMBER = 1e-15
"""Smallest number above 0; what is nearer to it counts as 0."""
MAX_DIGITS = 1000
"""Most digits of a whole number."""
MAX_DEPTH = 64
"""Deepest nesting of lists and objects."""


def parse(text: str, where: str) -> Any:
    """Strict JSON: it refuses a key that occurs twice, NaN, infinity, and what is longer or deeper than documents are.

    Args:
        text: The document.
        where: The file's name, for the message.

    Raises:
        InputError: It is not strict JSON.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{where} has more than {MAX_CHARACTERS:,} characters", do="get the file again")
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_whole_number)
        _check_depth(data)
        return data
    except RecursionError as error:
        raise InputError(f"{where} is nested too deep", do="get the file again") from error
    except ValueError as error:
        raise InputError(f"{where} is not readable JSON: {error}", do="get the file again") from error


def _check_depth(data: Any) -> None:
    level = [data] if isinstance(data, dict | list) else []
    for _ in range(MAX_DEPTH):
        inner = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise RecursionError


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits, at most {MAX_DIGITS}")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key occurs twice")
    return unique


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON has")


def build(kind: type[T], data: Any, where: str) -> T:
    """Build a dataclass from JSON data.

    Fields may be str, int, float, bool, None, ``Literal``, unions, ``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]``
    and dataclasses of these. A field with a default may be absent; keys that are no field are ignored. Where documents
    call a field otherwise, its metadata says so: :func:`key`, :func:`flattened`.

    Args:
        kind: The dataclass.
        data: The parsed JSON.
        where: The name of ``data`` in messages, for instance ``"manifest.json"``.

    Raises:
        InputError: A field is absent or of another type; the message names its path, its value and the expected type.
    """
    return _value(kind, data, f"{where}:")  # type: ignore[no-any-return]


def key(name: str) -> dict[str, Any]:
    """Metadata of a dataclass field that has another name in documents.

    Example:
        >>> @dataclasses.dataclass
        ... class Timing:
        ...     blocks: tuple[int, ...] = dataclasses.field(metadata=key("rounds"))
        >>> build(Timing, {"rounds": [1, 2]}, "timing"), plain(Timing((1, 2)))
        (Timing(blocks=(1, 2)), {'rounds': [1, 2]})
    """
    return {"key": name}


def flattened(**keys: str) -> dict[str, Any]:
    """Metadata of a dataclass field whose own fields stand in the document beside it, not in an object of their own.

    Args:
        **keys: Names in documents of those of the inner fields that have another one there.

    Example:
        >>> @dataclasses.dataclass
        ... class Library:
        ...     name: str
        >>> @dataclasses.dataclass
        ... class Result:
        ...     library: Library = dataclasses.field(metadata=flattened(name="runtime"))
        >>> build(Result, {"runtime": "litert"}, "result"), plain(Result(Library("litert")))
        (Result(library=Library(name='litert')), {'runtime': 'litert'})
    """
    return {"flattened": keys}


def bounds(least: float = -math.inf, most: float = math.inf, *, length: int | None = None) -> dict[str, Any]:
    """Metadata of a dataclass field whose values have limits.

    Args:
        least: The least number, of a container's numbers too.
        most: The largest number.
        length: The most characters of a text, and the most entries of a list or an object.

    Example:
        >>> @dataclasses.dataclass
        ... class Frame:
        ...     ms: tuple[float, ...] = dataclasses.field(metadata=bounds(0, 1000, length=5))
        >>> build(Frame, {"ms": [1, -1]}, "frame")
        Traceback (most recent call last):
        pocketlens.errors.InputError: frame: ms is -1.0, expected 0 to 1000
          do: get the file again, or make it with pocketlens
    """
    return {"bounds": _Bounds(least, most, length)}


@dataclass(frozen=True)
class _Bounds:
    least: float
    most: float
    length: int | None

    def check_length(self, value: Any, where: str) -> None:
        """Check how long a value is, of whatever type."""
        if isinstance(value, list | tuple | dict | str) and self.length is not None and len(value) > self.length:
            what = "characters" if isinstance(value, str) else "entries"
            raise _wrong(where, value, f"at most {self.length:,} {what}, it has {len(value):,}")

    def check(self, value: Any, where: str) -> None:
        """Check a value that is of the right type already."""
        self.check_length(value, where)
        if isinstance(value, tuple):
            for item in value:
                self.check(item, where)
        elif isinstance(value, dict):
            for name, item in value.items():
                self.check(name, where)
                self.check(item, where)
        elif isinstance(value, int | float) and not self.least <= value <= self.most:
            raise _wrong(where, value, f"{self.least:g} to {self.most:g}")


def plain(value: Any) -> Any:
    """JSON data of a dataclass, or of a container of them: :func:`build` makes an equal dataclass of it."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    return _plain_fields(value, {})


def _plain_fields(value: Any, keys: Mapping[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for field in dataclasses.fields(value):
        inner = getattr(value, field.name)
        if (inner_keys := field.metadata.get("flattened")) is not None:
            data |= _plain_fields(inner, inner_keys)
        else:
            data[_key_of(field, keys)] = plain(inner)
    return data


def _key_of(field: "dataclasses.Field[Any]", keys: Mapping[str, str]) -> str:
    """A field's name in documents."""
    name: str = keys.get(field.name, field.metadata.get("key", field.name))
    return name


def _join(where: str, name: str) -> str:
    return f"{where} {name}" if where.endswith(":") else f"{where}.{name}"


def _value(kind: Any, data: Any, where: str) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(inner, data, where)
    if origin is Literal:
        if not isinstance(data, str) or data not in inner:
            raise _wrong(where, data, "one of " + ", ".join(map(repr, inner)))
        return data
    if origin is tuple:
        return _tuple(inner, data, where)
    if origin is dict:
        if not isinstance(data, dict):
            raise _wrong(where, data, "an object")
        for name in data:
            _check_text(name, where)
        return {name: _value(inner[1], value, f"{where}[{name!r}]") for name, value in data.items()}
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, data, where)
    if type(data) in (int, float) and not abs(data) <= MAX_NUMBER:  # true for NaN too
        raise _wrong(where, data, f"a number of at most {MAX_NUMBER:.0e}")
    if kind is float and type(data) in (int, float):
        return float(data) if abs(data) >= MIN_NUMBER else 0.0
    if type(data) is str:
        _check_text(data, where)
    # type() and not isinstance(): in Python a bool is an int, in a document it is not.
    if kind is float or type(data) is not kind:
        raise _wrong(where, data, _NAMES[kind])
    return data


def _check_text(text: str, where: str) -> None:
    if len(text) > MAX_TEXT:
        raise _wrong(where, text, f"a text of at most {MAX_TEXT:,} characters, not {len(text):,}")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise _wrong(where, text, "text: half a character (a lone surrogate) is none")


def _union(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    others = [kind for kind in kinds if kind is not types.NoneType]
    if data is not None and len(others) == 1 and dataclasses.is_dataclass(others[0]):
        return _value(others[0], data, where)  # so that the message names the field inside it
    for kind in kinds:
        try:
            return _value(kind, data, where)
        except InputError:
            continue
    raise _wrong(where, data, " or ".join(_NAMES.get(kind, "an object") for kind in kinds))


def _tuple(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    if not isinstance(data, list):
        raise _wrong(where, data, "a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(data)
    if len(kinds) != len(data):
        raise _wrong(where, data, f"a list of {len(kinds)}")
    return tuple(_value(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(zip(kinds, data, strict=True)))


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _dataclass(kind: Any, data: Any, where: str, keys: Mapping[str, str] = types.MappingProxyType({})) -> Any:
    if not isinstance(data, dict):
        raise _wrong(where, data, "an object")
    kinds, values = _hints(kind), {}
    for field in dataclasses.fields(kind):
        if (inner_keys := field.metadata.get("flattened")) is not None:
            values[field.name] = _dataclass(kinds[field.name], data, where, inner_keys)
        elif (name := _key_of(field, keys)) in data:
            limits = field.metadata.get("bounds")
            if limits is not None:
                limits.check_length(data[name], _join(where, name))  # before so many are made
            values[field.name] = _value(kinds[field.name], data[name], _join(where, name))
            if limits is not None:
                limits.check(values[field.name], _join(where, name))
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{_join(where, name)} is missing", do="get the file again, or make it with pocketlens")
    return kind(**values)


def _wrong(where: str, value: Any, expected: str) -> InputError:
    shown = _shown(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return InputError(f"{where} is {shown}, expected {expected}", do="get the file again, or make it with pocketlens")


def _shown(value: Any) -> str:
    """A value for a message; of a long one only the beginning is written out."""
    try:
        return repr(value[:60] if isinstance(value, str | list | tuple) else value)
    except RecursionError:
        return "nested deeply"
