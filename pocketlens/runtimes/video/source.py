"""Reads frames from a file, of which every frame is stylized, or from a live source, of which the newest is."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.errors import InputError, MissingError
from pocketlens.files import check_name, regular
from pocketlens.images import Picture
from pocketlens.runtimes.video.library import pyav

_HD = 720
"""A clip that does not state its colour matrix counts as BT.709 from this height on, and as BT.601 below."""
_BT709, _BT601, _UNSPECIFIED = 1, 5, 2
_FULL = 2
_STANDARD_INPUT = "pipe:0"
_AGAIN = "get the file again"
SCALING = 4
"""How FFmpeg scales frames to the artifact's size, and back: bicubic."""
_WHOLE_COLOURS = 0x2000
"""SWS_FULL_CHR_H_INT: without it a scaled picture has colours of half its width, 41 dB from Pillow's instead of 51."""


@dataclass(frozen=True)
class Colour:
    """The colour matrix of a clip's YUV, in FFmpeg's numbers, and whether its values use the full range 0..255."""

    matrix: int
    full: bool


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded frame, upright.

    Attributes:
        picture: ``uint8 [h, w, 3]``, RGB.
        size: Its height and width in the clip and in the result.
        pts: The time at which it is shown, in units of ``time_base``.
        time_base: The unit of time, in seconds.
        duration: How long it is shown, in units of ``time_base``; 0 if the clip does not say.
        arrived: When the source gave its data, as ``time.monotonic`` counts.
        decode_ms: The time from then until it was a picture.
    """

    picture: Picture
    size: tuple[int, int]
    pts: int
    time_base: Fraction
    duration: int = 0
    arrived: float = 0.0
    decode_ms: float = 0.0


_LISTS = {"concat", "dash", "hls", "imf", "rtsp", "sap", "sdp", "webm_dash_manifest"}
"""Forms of a file that name other files or addresses, which FFmpeg would open."""


class VideoSource:
    """An opened clip or camera.

    Args:
        name: A path, or FFmpeg's name of the device.
        kind: FFmpeg's name of the device's kind, or empty for a file.
        live: Whether frames are dropped that come faster than they can be stylized.

    Attributes:
        frames: The number of frames that the file states; 0 if it states none.
        colour: The colours of its pixels.
        at: From a frame's height and width to the size to decode it to; None keeps the frame's size.

    Raises:
        InputError: It cannot be opened, or has no picture.
        MissingError: PyAV is not installed, or has no such kind of device.
    """

    def __init__(self, name: str, kind: str = "", *, live: bool = False, options: dict[str, str] | None = None) -> None:
        av = pyav()
        self.name, self.live, self._paced = name, live, live and kind == "lavfi"
        try:
            # A path from the root: FFmpeg takes what stands before a colon for a protocol.
            location = name if kind or name == _STANDARD_INPUT else str(Path(name).absolute())
            options = dict(options or {})
            if not kind:
                options["format_whitelist"] = ",".join(sorted(av.formats_available - _LISTS))
            self.container: Any = av.open(location, format=kind or None, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{name} cannot be opened as video: {error}", do="give a video file") from error
        if not self.container.streams.video:
            self.container.close()
            raise InputError(f"{name} has no picture", do="give a video file")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO" if not live else "SLICE"
        self.audio = next(iter(self.container.streams.audio), None)
        context = self.stream.codec_context
        if context is None:
            self.container.close()
            raise InputError(f"the pictures of {name} are in a form that PyAV cannot decode", do="convert it to H.264")
        if not live and min(context.height, context.width) < 2:
            self.container.close()
            raise InputError(f"{name} is {context.width} x {context.height}, at least 2 x 2", do="give a larger clip")
        self.at: Callable[[int, int], tuple[int, int]] | None = None
        self.frames: int = self.stream.frames
        self.rate: Fraction = self.stream.average_rate or Fraction(30)
        matrix = int(getattr(context, "colorspace", _UNSPECIFIED) or _UNSPECIFIED)
        if matrix not in (_BT709, _BT601, 6, 9):
            matrix = _BT709 if context.height >= _HD else _BT601
        self.colour = Colour(matrix, int(context.color_range or 0) == _FULL or str(context.pix_fmt).startswith("yuvj"))

    def __iter__(self) -> Iterator[Any]:
        """Frames as :class:`Frame`, and packets of the sound as PyAV has them, in the order of the file."""
        av = pyav()
        streams = [self.stream] + ([self.audio] if self.audio is not None and not self.live else [])
        began, last, packets, seconds = time.monotonic(), -1, 0, 0.0
        try:
            for packet in self.container.demux(*streams):
                if packet.stream is not self.stream:
                    if packet.dts is not None:
                        yield packet
                    continue
                packets += packet.size > 0
                arrived = time.monotonic()
                for decoded in packet.decode():
                    frame = self._frame(decoded, last, arrived)
                    last = frame.pts
                    seconds = float((frame.pts + frame.duration) * frame.time_base)
                    if self._paced:
                        time.sleep(max(0.0, began + float(frame.pts * frame.time_base) - time.monotonic()))
                        frame = replace(frame, arrived=time.monotonic() - frame.decode_ms / 1000)
                    yield frame
                    arrived = time.monotonic()
        except av.FFmpegError as error:
            raise InputError(f"{self.name} is damaged: {error}", do="check that the file is whole") from error

        if not self.live:
            self._check_end(packets, seconds)

    def _check_end(self, packets: int, seconds: float) -> None:
        """Refuse a clip that ends before its own head says: FFmpeg gives what is there and tells nobody."""
        if packets < self.frames:
            raise InputError(f"{self.name} is cut: {packets} of {self.frames} frames are there", do=_AGAIN)
        stated = _seconds(self.stream.metadata.get("DURATION", ""))
        steady = self.stream.average_rate and self.stream.average_rate == self.stream.base_rate
        slack = 2.5 / float(self.rate) if steady else max(1.0, stated / 10)  # a last frame may stand for long
        if seconds < stated - slack or (stated and not packets):
            raise InputError(
                f"{self.name} is cut: {packets} frames, {seconds:.1f} of {stated:.1f} seconds, are there", do=_AGAIN
            )

    def _frame(self, decoded: Any, last: int, arrived: float) -> Frame:
        base = decoded.time_base or self.stream.time_base
        pts = decoded.pts if decoded.pts is not None and decoded.pts > last else last + 1
        turns = round((decoded.rotation or 0) / 90) % 4
        across = -1 if turns % 2 else 1
        size = (decoded.height, decoded.width)[::across]
        # Scaling during the conversion from YUV costs a tenth of scaling the picture afterwards.
        height, width = (self.at(*size) if self.at else size)[::across]
        rgb = decoded.reformat(
            width,
            height,
            format="rgb24",
            interpolation=SCALING | _WHOLE_COLOURS,
            src_colorspace=self.colour.matrix,
            src_color_range=2 if self.colour.full else 1,
            dst_color_range=2,
        ).to_ndarray()
        picture = np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb
        took = 1000 * (time.monotonic() - arrived)
        return Frame(picture, size, int(pts), Fraction(base), int(decoded.duration or 0), arrived, took)

    def close(self) -> None:
        """Close it; closing twice is fine."""
        self.container.close()


def _seconds(text: str) -> float:
    """``01:02:03.5`` in seconds; 0 where it says nothing."""
    parts = text.split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return 0.0
    return hours * 3600 + minutes * 60 + seconds


def open_file(path: Path) -> VideoSource:
    """A video file, or ``-`` for what comes in on the standard input, every frame of it. See :class:`VideoSource`."""
    if str(path) == "-":
        return VideoSource(_STANDARD_INPUT)
    check_name(path)
    return VideoSource(str(regular(path)))


def open_camera(name: str) -> VideoSource:
    """A camera by its number, or anything live as ``KIND:NAME`` in FFmpeg's words, for instance ``lavfi:testsrc2``.

    Raises:
        InputError: It cannot be opened.
        MissingError: The installed PyAV cannot open that kind of device.
    """
    av = pyav()
    kind, _, rest = name.partition(":")
    options = {}
    if name.isdigit():
        kind, rest = {
            "darwin": ("avfoundation", name),
            "win32": ("dshow", f"video={name}"),
        }.get(sys.platform, ("v4l2", f"/dev/video{name}"))
        options = {"framerate": "30"}
    if kind not in av.formats_available:
        raise MissingError(
            f"the installed PyAV {av.__version__} cannot open {kind} devices",
            do=f"pipe it in: ffmpeg -f {kind} -i {rest or 'DEVICE'} -f matroska -c:v rawvideo - | "
            "pocketlens run BUNDLE --camera matroska:pipe:0 …; "
            "or build PyAV against the system's FFmpeg: pip install --no-binary av av (needs libavdevice-dev)",
        )
    return VideoSource(rest, kind, live=True, options=options)
