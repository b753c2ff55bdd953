"""Writes frames to an MP4, MOV or MKV file, with the sound of the source copied."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.runtimes.video.library import pyav
from pocketlens.runtimes.video.source import SCALING, VideoSource

SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v")
_ENCODERS = (("libx264", {"preset": "veryfast", "crf": "18"}), ("mpeg4", {"qscale": "3"}))


class VideoSink:
    """A video file that is being written.

    Args:
        path: Its suffix decides the format.
        source: The clip whose sound, colours and time base the file gets.
        comment: What the file says of itself, in one line.
    """

    def __init__(self, path: Path, source: VideoSource, comment: str = "") -> None:
        av = pyav()
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path} does not end in a video format", do=f"use one of {', '.join(SUFFIXES)}")
        self._av, self._source = av, source
        self._container: Any = av.open(str(path), "w")
        if comment:
            self._container.metadata["comment"] = comment
        self._audio: Any = None
        self._early: list[Any] = []
        self._stream: Any = None
        self.frames = 0

    def write(self, picture: Picture, size: tuple[int, int], pts: int, time_base: Fraction, duration: int = 0) -> None:
        """Encode a frame.

        Args:
            picture: ``uint8 [h, w, 3]``, RGB.
            size: Height and width in the file. YUV 4:2:0 needs even numbers: an odd one loses a row or a column.
            pts: The time at which it is shown, in units of ``time_base``.
            time_base: The unit of time, in seconds.
            duration: How long it is shown, in units of ``time_base``; 0 if that is unknown.
        """
        height, width = size[0] // 2 * 2, size[1] // 2 * 2
        even = picture[:height, :width] if picture.shape[:2] == size else picture
        if self._stream is None:
            self._open(height, width, time_base)
        colour = self._source.colour
        rgb = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        frame = rgb.reformat(
            width,
            height,
            format="yuv420p",
            interpolation=SCALING,
            src_color_range=2,
            dst_colorspace=colour.matrix,
            dst_color_range=2 if colour.full else 1,
        )
        frame.pts, frame.time_base = pts, time_base
        if duration:
            frame.duration = duration
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def copy(self, packet: Any) -> None:
        """Copy a packet of sound."""
        if self._stream is None:
            self._early.append(packet)  # until the first picture has said how large pictures are
        elif self._audio is not None:
            packet.stream = self._audio
            self._container.mux(packet)

    def close(self) -> None:
        """Write the frames that the encoder still holds, and the file's index."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()

    def _open(self, height: int, width: int, time_base: Fraction) -> None:
        name, options = next(encoder for encoder in _ENCODERS if encoder[0] in self._av.codecs_available)
        self._stream = stream = self._container.add_stream(name, rate=self._source.rate, options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = time_base
        colour = self._source.colour
        context.colorspace, context.color_range = colour.matrix, 2 if colour.full else 1
        context.color_primaries = context.color_trc = {1: 1, 9: 9}.get(colour.matrix, 6)
        if self._source.audio is not None and not self._source.live:
            try:
                self._audio = self._container.add_stream_from_template(self._source.audio)
            except (self._av.FFmpegError, ValueError) as error:
                raise InputError(
                    f"this kind of file cannot hold the sound of {self._source.name}: {error}", do="write an .mkv"
                ) from error
        while self._early:
            self.copy(self._early.pop(0))
