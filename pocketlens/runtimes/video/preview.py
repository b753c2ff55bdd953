"""A preview window, with what Python has itself: Tk."""

import os
import sys
from typing import Any

from PIL import Image

from pocketlens.errors import MissingError
from pocketlens.images import Picture


class PreviewWindow:
    """Shows frames as they come, until it is closed, or q or Escape is pressed in it.

    Args:
        title: In its frame.

    Raises:
        MissingError: There is no display, or this Python has no Tk.
    """

    def __init__(self, title: str) -> None:
        if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            raise MissingError("there is no display to show frames on", do="write a file instead: -o out.mp4")
        try:
            import tkinter

            from PIL import ImageTk
        except ImportError as error:
            raise MissingError(f"this Python has no Tk: {error}", do="apt-get install python3-tk") from error
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise MissingError(f"the display cannot be used: {error}", do="write a file instead: -o out.mp4") from error
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        for key in ("q", "<Escape>"):
            self._root.bind(key, lambda _: self.close())
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self._photo = ImageTk.PhotoImage
        self._kept: Any = None
        self._open = True

    def show(self, picture: Picture) -> bool:
        """Show a frame; False once the window was closed."""
        if self._open:
            self._kept = self._photo(Image.fromarray(picture))  # Tk keeps no reference of its own
            self._label.configure(image=self._kept)
            self._root.update()
        return self._open

    def close(self) -> None:
        """Close it; closing twice is fine."""
        if self._open:
            self._open = False
            self._root.destroy()
