"""One loaded artifact: it stylizes pictures of exactly its size."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens import images, machine
from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture
from pocketlens.runtimes.adapter import Player
from pocketlens.runtimes.beside import Beside
from pocketlens.runtimes.pixels import PictureReader, PictureWriter, ValueRange, quantize, values_of
from pocketlens.runtimes.ports import Layout, Port, picture_port
from pocketlens.runtimes.scaling import scale

ExtraInputs = Mapping[str, NDArray[Any]]
"""Arrays for the inputs besides the picture and the style, by name."""
StyleWeights = NDArray[np.float32]
"""The share of each style, ``[style_count]``; the sum is 1."""


class LoadedArtifact:
    """A player, with the conversion of pictures to its input and from its output.

    Args:
        path: The artifact, for messages.
        player: The artifact in its runtime.
        default_layout: The order of axes to assume where a shape fits both.
        values: The values of black and white; None for those that the ports' scale implies, or 0..255 without a scale.
        output_values: Those of the output, where they are not those of the input.

    Attributes:
        size: Height and width that it computes at, in pixels.
        factor: How many times larger its pictures are.
        extra: The inputs besides the picture, the style, the second picture and the states.
        second: The channels of its second picture; 0 where it takes none.
        states: How many states it keeps from picture to picture, zeros at first.
        style_count: How many styles it can blend; 0 if it has no input for that.

    Raises:
        InputError: No input or no output of it is a picture.
    """

    def __init__(
        self,
        path: Path,
        player: Player,
        default_layout: Layout,
        values: ValueRange | None = None,
        output_values: ValueRange | None = None,
    ) -> None:
        image = picture_port(path, "input", player.inputs, default_layout)
        stylized = picture_port(path, "output", player.outputs, default_layout)
        self.size = image.size
        self.factor = images.size_factor(image.size, stylized.size) or Fraction(1)
        others = {i: port for i, port in enumerate(player.inputs) if i != image.index}
        self._style = next((i for i, port in others.items() if port.style_count), None)
        self.style_count = others[self._style].style_count if self._style is not None else 0
        self._weights = np.eye(1, self.style_count, dtype=np.float32)
        self._beside = Beside(path, player, others, default_layout)
        self.second, self.states = self._beside.second, len(self._beside.states)
        own = {self._style, *self._beside.inputs}
        self._indexes = {port.name: i for i, port in others.items() if i not in own}
        self.extra: tuple[Port, ...] = tuple(player.inputs[i] for i in self._indexes.values())
        self._player = player
        self._exact: LoadedArtifact | None = None
        exact = getattr(player, "exact", None)
        self._load_exact = (
            (lambda: LoadedArtifact(path, exact(), default_layout, values, output_values)) if exact else None
        )
        self._image, self._stylized = image.index, stylized.index
        self._threads = threads = player.runtime_info.threads or machine.cores()
        self._write = PictureWriter(image, values or values_of(image.port), threads).write
        self._out = PictureReader(stylized, output_values or values or values_of(stylized.port), threads)

    def picture(
        self,
        image: Picture,
        extra: ExtraInputs | None = None,
        style: StyleWeights | None = None,
        size: tuple[int, int] | None = None,
    ) -> Picture:
        """Stylize a picture, ``uint8 [H, W, 3]``, which is stretched to :attr:`size` where it has another one.

        Args:
            image: The picture.
            extra: Arrays for the other inputs.
            style: The share of each style; the first one alone, if left out.
            size: Height and width of what comes out, which is stretched to them; the artifact's own, if left out.

        Returns:
            The same, or with its alpha ``[H, W, 4]``.
        """
        self._run(image, extra, style)
        result = self._player.result(self._stylized)
        if not self._beside.has_alpha:
            return self._out.picture(result, size)
        whole = self._beside.with_alpha(self._out.picture(result))
        return whole if size is None else scale(whole, *size, self._threads)

    def floats(self, image: Picture, extra: ExtraInputs | None = None, style: StyleWeights | None = None) -> Floats:
        """The same as ``float32``, not rounded. The first call may load the artifact again."""
        if self._load_exact is not None:
            self._exact = self._exact or self._load_exact()
            return self._exact.floats(image, extra, style)
        self._run(image, extra, style)
        return self._beside.with_alpha(self._out.floats(self._player.result(self._stylized)))

    def reset(self) -> None:
        """Let the states be zeros again."""
        self._beside.reset()
        if self._exact is not None:
            self._exact.reset()

    def close(self) -> None:
        """Free the runtime."""
        self._player.close()
        if self._exact is not None:
            self._exact.close()

    def _run(self, image: Picture, extra: ExtraInputs | None, style: StyleWeights | None) -> None:
        self._write(image, self._player.feed(self._image))
        if self._style is not None:
            self._player.feed(self._style)[...] = self._weights if style is None else style
        if self.second:
            extra = self._beside.take_second(self.size, extra)
        if self._indexes or extra:
            self._fill(extra or {})
        self._beside.feed()
        self._player.run()
        self._beside.keep()

    def _fill(self, extra: ExtraInputs) -> None:
        if set(extra) != set(self._indexes):
            wanted = "; ".join(map(str, self.extra)) or "none"
            names = ", ".join(map(repr, extra)) or "none"
            raise InputError(
                f"the inputs besides the picture are {wanted}; got {names}",
                do="session(picture, inputs={name: array})",
            )
        for port in self.extra:
            array = np.asarray(extra[port.name])
            feed = self._player.feed(self._indexes[port.name])
            if array.size != feed.size or array.dtype.kind not in "fiub":
                raise InputError(
                    f"the input {port} got {array.dtype} {list(array.shape)}", do="give an array of that shape"
                )
            stored = quantize(array.astype(np.float64), port) if array.dtype.kind == "f" else array
            np.copyto(feed, stored.reshape(feed.shape), casting="unsafe")
