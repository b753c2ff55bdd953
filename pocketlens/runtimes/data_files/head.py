"""The first bytes of a file: whether it is XML."""

from pathlib import Path

from pocketlens.quick_dataclass import dataclass

_BYTES = 4096
_BLANK = b" \t\r\n\x00\xef\xbb\xbf\xfe\xff"
"""What may stand before the first ``<``: blanks, and the marks of UTF-8 and UTF-16."""


@dataclass(frozen=True)
class Head:
    """The beginning of a file."""

    data: bytes

    @classmethod
    def read(cls, path: Path) -> "Head":
        """Read the beginning of a file."""
        with path.open("rb") as stream:
            return cls(stream.read(_BYTES))

    @property
    def is_xml(self) -> bool:
        """Whether a parser may take the file for XML.

        Example:
            >>> Head(b"\\n <?xml?>").is_xml, Head(b"TFL3").is_xml
            (True, False)
        """
        return self.data.lstrip(_BLANK).startswith(b"<")
