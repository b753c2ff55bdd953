"""The session: an artifact loaded in a runtime, which stylizes pictures."""

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketlens import images, machine
from pocketlens.errors import InputError
from pocketlens.images import Floats, Picture, coloured, recolour
from pocketlens.origin import Origin
from pocketlens.runtimes.adapter import RUNTIMES, Options, Player, runtime_for
from pocketlens.runtimes.frames import YuvFrame
from pocketlens.runtimes.loaded import ExtraInputs, LoadedArtifact
from pocketlens.runtimes.pixels import PIXELS, ValueRange, check_picture
from pocketlens.runtimes.ports import SECOND, Port
from pocketlens.runtimes.resizing import RESIZES, Resize, stylize_resized
from pocketlens.runtimes.stand_in import PLAYS, stand_in
from pocketlens.runtimes.styling import Style, blend

Size = tuple[int, int]
Opener = Callable[[], Player]


class Closable(Protocol):
    """Something that a session closes at its end."""

    def close(self) -> None:
        """Free it."""
        ...


class Session:
    """Plays an artifact, whatever its target, layout or number type.

    Threads may share a session: their calls take turns, and closing waits for the one that plays. To play at the same
    time, open one a thread.

    Example:
        >>> with open_artifact(Path("wave.bundle/artifacts/tflite-fp16-32x48.tflite")) as session:
        ...     session(picture).shape
        (32, 48, 3)

    Args:
        player: The artifact, loaded.
        runtime: The name of its runtime.
        path: The artifact's file, for messages.
        values: The values of black and white; None for those that the artifact's scale implies, or 0..255 without a
            scale.
        output_values: Those of the output, where they are not those of the input.
        resize: How a picture of another size is made to fit; see :func:`pocketlens.runtimes.resizing.stylize_resized`.
        others: The same artifact for other sizes; each is loaded when a picture first needs it.
        again: Loads the artifact once more, for :meth:`another`.
        why: Why this artifact and this runtime were chosen, as lines for :meth:`explain`.
        styles: The names of a pack's styles; their positions, from 0, if left out.
        origin: The filter that the artifact holds; its file's name, if left out.

    Attributes:
        origin: What pictures of this session may say of where they come from.
        runtime: The name of the runtime that plays.
        size: Height and width that the artifact computes at, in pixels; of several the first.
        sizes: Every size that it computes at.
        factor: How many times larger than the picture that goes in the one is that comes out.
        resize: How a picture of another size is made to fit.
        inputs: The artifact's inputs besides the picture, the style, the second picture and the states.
        second: The channels of the second picture that it takes, 1 for a mask or 3; 0 where it takes none.
        second_picture: The second picture of calls that are given none, ``uint8 [H, W, 3]`` or ``[H, W]``.
        states: How many states it keeps from frame to frame; :meth:`reset` begins anew.
        style_count: How many styles the artifact can blend; 0 where there is one style and no input for it.
        styles: The names of the styles; empty where there is one style.
        runtime_info: The runtime's version, its threads, and the precision that it really computes in.
    """

    def __init__(
        self,
        player: Player,
        runtime: str,
        path: Path | None = None,
        *,
        values: ValueRange | None = None,
        output_values: ValueRange | None = None,
        resize: Resize = "stretch",
        others: Mapping[Size, Opener] | None = None,
        again: Opener | None = None,
        why: Sequence[str] = (),
        styles: Sequence[str] = (),
        origin: Origin | None = None,
    ) -> None:
        if resize not in RESIZES:
            raise InputError(f"there is no resize {resize!r}", do=f"choose from {', '.join(RESIZES)}")
        self._path = path or Path(runtime)
        self.origin = origin or Origin(self._path.stem)
        self._values, self._output_values = values, output_values
        self._layout = RUNTIMES[runtime].default_layout if runtime in RUNTIMES else "NCHW"
        first = self._load(player)
        self.runtime, self.resize = runtime, resize
        self.size, self.factor = first.size, first.factor
        self.sizes: tuple[Size, ...] = (first.size, *(size for size in others or {} if size != first.size))
        self.inputs: tuple[Port, ...] = first.extra
        self.second, self.states = first.second, first.states
        if self.states and resize == "tile":
            player.close()
            raise InputError(f"{self._path.name} keeps states, which tiles would mix", do="choose another resize")
        self.style_count = first.style_count
        self.styles: tuple[str, ...] = tuple(styles) or tuple(map(str, range(first.style_count)))
        self._style: NDArray[np.float32] | None = None
        self.second_picture: Picture | None = None
        self.runtime_info = player.runtime_info
        self._scaling_threads = player.runtime_info.threads or machine.cores()
        self._loaded: dict[Size, LoadedArtifact] = {first.size: first}
        self._others, self._again = dict(others or {}), again
        self._kept: list[Closable] = []
        self._why = tuple(why)
        self._turn = threading.RLock()

    def __call__(
        self, image: Picture | YuvFrame, inputs: ExtraInputs | None = None, style: Style | None = None
    ) -> Picture:
        """Stylize a picture.

        Args:
            image: ``uint8 [H, W, 3]``, RGB; or ``[H, W, 4]`` with alpha, which comes back as it was; or grey as
                ``[H, W]`` or ``[H, W, 1]``, which comes back grey; or a :class:`pocketlens.YuvFrame` of a camera or
                decoder, which comes back as RGB. Another size than :attr:`size` is made to fit.
            inputs: Arrays for the artifact's other inputs, by name; real values, also for quantized inputs. ``second``
                is the second picture, ``uint8 [H, W, 3]`` or a mask ``[H, W]``, made to fit as ``image`` is.
            style: Of a pack: ``"ink"``, or a blend, ``{"ink": 0.5, "oil": 0.5}``; None for :attr:`style`. Changing it
                loads nothing again.

        Returns:
            ``uint8``, of the shape of ``image``, or as many times larger or smaller as :attr:`factor` says; with
            ``resize="crop"`` its middle. Of an artifact that gives an alpha ``[H, W, 4]``.

        Raises:
            InputError: There is no such style, or ``image`` or ``inputs`` have another shape or type, or the session is
                closed.
        """
        if not isinstance(image, YuvFrame):
            check_picture(image)
        weights = self._weights(style)
        height, width = image.size if isinstance(image, YuvFrame) else image.shape[:2]
        loaded = self._artifact_for(height, width)
        with self._turn:
            inputs = self._fitted(loaded, (height, width), inputs)
            if not isinstance(image, YuvFrame) and image.shape == (*loaded.size, 3):
                return self._still_open(loaded).picture(image, inputs, weights)
            stylized = stylize_resized(
                lambda part, *size: self._still_open(loaded).picture(part, inputs, weights, size),
                loaded.size,
                image if isinstance(image, YuvFrame) else coloured(image),
                self.resize,
                loaded.factor,
                self._scaling_threads,
            )
        if isinstance(image, YuvFrame) or stylized.shape[2] == 4:
            return stylized
        if loaded.factor != 1 and image.shape[2:] == (4,):  # the alpha grows with the colours
            height, width = (max(1, round(edge * loaded.factor)) for edge in image.shape[:2])
            image = images.resize(image, height, width)
        return recolour(image, stylized)

    def reset(self) -> None:
        """Let the states that it keeps between frames be zeros again, for another clip or picture."""
        with self._turn:
            for loaded in self._loaded.values():
                loaded.reset()

    def still(self, image: Picture, style: Style | None = None) -> Picture:
        """A picture that is judged alone: of states the second frame of a clip that stands still, of a second picture
        its stand-in (:mod:`pocketlens.runtimes.stand_in`).
        """
        inputs = self.alone(image)
        self.reset()
        for _ in range(PLAYS - 1 if self.states else 0):
            self(image, inputs, style)
        return self(image, inputs, style)

    def alone(self, image: Picture, inputs: ExtraInputs | None = None) -> ExtraInputs | None:
        """The inputs for a picture that is judged or timed alone: the stand-in for a second picture among them."""
        if not self.second or (inputs and SECOND in inputs):
            return inputs
        return {**(inputs or {}), SECOND: stand_in(coloured(image), self.second)}

    def _fitted(self, loaded: LoadedArtifact, size: Size, inputs: ExtraInputs | None) -> ExtraInputs | None:
        """The inputs with a second picture of the artifact's size."""
        if not self.second:
            return inputs
        second = (inputs or {}).get(SECOND, self.second_picture)
        if second is None:
            return inputs  # the artifact says what is missing
        if self.resize != "stretch" and size != loaded.size:
            raise InputError(f"a second picture cannot be made to fit by {self.resize!r}", do="choose stretch")
        second = coloured(np.asarray(second, np.uint8)) if self.second > 1 else second.reshape(second.shape[:2])
        return {**(inputs or {}), SECOND: images.resize(second, *loaded.size)}

    def floats(
        self,
        image: Picture,
        inputs: ExtraInputs | None = None,
        style: Style | None = None,
        *,
        follow: bool = False,
    ) -> Floats:
        """The artifact's own output for a picture of exactly one of :attr:`sizes`: ``float32 [H, W, 3]``, not rounded.

        Where it keeps states, as :meth:`still`, or with ``follow`` behind the frame before; a second picture that is
        not given is the stand-in.

        Raises:
            InputError: ``image`` has another size or type, or the session is closed.
        """
        check_picture(image)
        if image.shape[:2] not in self.sizes or image.shape[2:] != (3,):
            raise InputError(
                f"the picture is {image.shape}, the artifact computes at {self.size}", do="resize it first"
            )
        with self._turn:
            loaded, weights = self._still_open(self._artifact_for(*image.shape[:2])), self._weights(style)
            inputs = self.alone(image, inputs)
            if self.states and not follow:
                loaded.reset()
                for _ in range(PLAYS - 1):
                    loaded.floats(image, inputs, weights)
            return loaded.floats(image, inputs, weights)

    @property
    def style(self) -> dict[str, float]:
        """The share of each style in the next pictures; empty where there is one style. Set it like the argument of a
        call.
        """
        first = [float(i == 0) for i in range(len(self.styles))]
        return dict(zip(self.styles, first if self._style is None else self._style.tolist(), strict=True))

    @style.setter
    def style(self, style: Style) -> None:
        self._style = self._weights(style)

    def computes_at(self, height: int, width: int) -> Size:
        """The size that a picture is played at: of :attr:`sizes` the smallest that covers it, or else the largest."""
        if len(self.sizes) == 1 or (height, width) in self.sizes:
            return (height, width) if (height, width) in self.sizes else self.size
        covering = [size for size in self.sizes if size[0] >= height and size[1] >= width]
        return min(covering, key=math.prod) if covering else max(self.sizes, key=math.prod)

    def explain(self) -> str:
        """Why this artifact plays in this runtime, and how: a few lines for people."""
        fields = self.runtime_info.document().items()
        info = ", ".join(f"{key} {value}" for key, value in fields if value is not None)
        sizes = ", ".join(f"{height}x{width}" for height, width in self.sizes)
        return "\n".join([*self._why, f"plays: {info}", f"computes at: {sizes}; other sizes: {self.resize}"])

    def another(self) -> "Session":
        """The same artifact loaded once more, to play at the same time as this one. Close it before this one.

        Raises:
            InputError: The artifact cannot be loaded, or this session does not know how.
        """
        if self._again is None:
            raise InputError(f"the session of {self._path.name} cannot be opened twice", do="load it again")
        session = Session(
            self._again(),
            self.runtime,
            self._path,
            values=self._values,
            output_values=self._output_values,
            resize=self.resize,
            others=self._others,
            again=self._again,
            why=self._why,
            styles=self.styles,
            origin=self.origin,
        )
        session._style, session.second_picture = self._style, self.second_picture
        return session

    def keep(self, resource: Closable) -> None:
        """Close something else after the runtime is freed, for instance the folder that the artifact was unpacked
        to.
        """
        self._kept.append(resource)

    def close(self) -> None:
        """Free the runtime; closing twice is fine. A frame that another thread is playing is finished first."""
        with self._turn:
            while self._loaded:
                self._loaded.popitem()[1].close()
            while self._kept:
                self._kept.pop().close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _weights(self, style: Style | None) -> NDArray[np.float32] | None:
        if style is None:
            return self._style
        if not self.styles:
            raise InputError(f"{self._path.name} holds one style only", do="leave style out")
        return blend(style, self.styles)

    def _load(self, player: Player) -> LoadedArtifact:
        try:
            return LoadedArtifact(self._path, player, self._layout, self._values, self._output_values)
        except BaseException:
            player.close()
            raise

    def _still_open(self, loaded: LoadedArtifact) -> LoadedArtifact:
        """The same artifact, unless the session was closed while this thread waited for its turn."""
        if self._loaded.get(loaded.size) is not loaded:
            raise InputError("the session is closed", do="load it again")
        return loaded

    def _artifact_for(self, height: int, width: int) -> LoadedArtifact:
        """The artifact that plays a picture of this size; it is loaded when it is first needed."""
        with self._turn:
            if not self._loaded:
                raise InputError("the session is closed", do="load it again")
            size = self.computes_at(height, width)
            if size not in self._loaded:
                self._loaded[size] = self._load(self._others[size]())
            return self._loaded[size]


def open_artifact(
    path: Path | str,
    runtime: str | None = None,
    threads: int | None = None,
    *,
    accelerator: str | None = None,
    compute_precision: str | None = None,
    size: Size | None = None,
    values: ValueRange | None = None,
    output_values: ValueRange | None = None,
    resize: Resize = "stretch",
    exact: bool = False,
) -> Session:
    """Load one artifact file or folder, whoever made it.

    Args:
        path: ``.onnx``, ``.xml`` (OpenVINO), ``.tflite``, ``.mlpackage`` or ``.aimodel``.
        runtime: ``onnxruntime``, ``openvino``, ``litert``, ``coreml``, ``mil``, ``qnn`` or ``coreai``; None takes
            the first that plays it.
        threads: Number of threads, or None for the runtime's own choice.
        accelerator: What computes: ``cpu``, ``gpu``, ``npu`` or ``auto``, or a name of the runtime's own, for instance
            ``xnnpack``.
        compute_precision: The arithmetic's, where the runtime can choose: ``fp32``, ``fp16``, ``bf16`` or ``auto``.
        size: Height and width to compute at, for an artifact that leaves them open.
        values: The values of black and white, for instance ``(-1, 1)``; None for those that the artifact's scale
            implies, or 0..255 without a scale. Artifacts of Pocketlens need none.
        output_values: Those of the output, where they are not those of the input.
        resize: How a picture of another size is made to fit: ``stretch``, ``fit``, ``crop`` or ``tile``.
        exact: Load the artifact for :meth:`Session.floats`, which otherwise may load it a second time at its first
            call; what judges pictures wants little memory rather than the last millisecond.

    Raises:
        InputError: The file is absent or damaged, or the runtime does not play it, or has no such option.
        MissingError: The runtime is not installed; the message says how to install it.
    """
    path = Path(path)
    chosen = runtime_for(path, runtime)
    options = Options(
        threads, accelerator, compute_precision, size, not exact and {values, output_values} <= {None, PIXELS},
        lean=exact,
    )  # fmt: skip

    def opener() -> Player:
        return chosen.open(path, options)

    return Session(opener(), chosen.name, path, values=values, output_values=output_values, resize=resize, again=opener)
