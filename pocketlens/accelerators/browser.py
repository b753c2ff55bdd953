"""Backends of a browser as accelerators: the bundle's own page plays a file in headless Chromium."""

from dataclasses import dataclass

from pocketlens.accelerators import Answer, Request
from pocketlens.errors import MissingError
from pocketlens.placement import Placement
from pocketlens.web import check, chromium


@dataclass(frozen=True)
class BrowserEngine:
    """An engine; see :class:`pocketlens.accelerators.Engine`.

    Attributes:
        name: Of the accelerator.
        backend: Of the page.
        fast_path: What computes a file that is whole.
    """

    name: str
    backend: str
    fast_path: str

    def missing(self) -> MissingError | None:
        """Why the browser cannot be asked here."""
        try:
            chromium.find()
        except MissingError as error:
            return error
        return None

    def version(self) -> str:
        """The runtime and the browser."""
        return check.version()

    def place(self, request: Request) -> Answer:
        """Play the file in the browser."""
        try:
            played = check.play_file(request.path, request.picture, request.style, backend=self.backend)
        except chromium.BrowserError as error:
            return Answer(Placement(self.name, "unchecked", reason=error.what))
        if played.refused:
            return Answer(Placement(self.name, "refused", reason=played.refused))
        engine = ", ".join(filter(None, (check.version(), played.adapter)))
        output = played.outputs[0] if played.outputs else None
        if played.whole:
            return Answer(Placement(self.name, "whole", engine=engine), output)
        reason = f"some layers are computed outside of {self.fast_path}"
        return Answer(Placement(self.name, "partly", reason=reason, engine=engine), output)
