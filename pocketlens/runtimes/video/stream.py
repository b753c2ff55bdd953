"""Stylizes the frames of a source into a file or onto a screen."""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from pocketlens.errors import InputError
from pocketlens.files import whole
from pocketlens.images import Picture
from pocketlens.runtimes.scaling import scale
from pocketlens.runtimes.session import Session
from pocketlens.runtimes.video.sink import VideoSink
from pocketlens.runtimes.video.smooth import TemporalSmoother
from pocketlens.runtimes.video.source import Frame, VideoSource

_QUEUE = 4
_END = object()
_RECENT = 120


@dataclass(frozen=True)
class VideoProgress:
    """How far a stream is.

    Attributes:
        done: The number of frames that were stylized.
        total: The number of frames of the source; 0 if it is unknown.
        fps: Frames per second, over the last frames.
        p95_ms: The 95th percentile of the time that the session took for a frame, over the last frames.
        dropped: The number of frames of a live source that were dropped to keep up.
    """

    done: int
    total: int
    fps: float
    p95_ms: float
    dropped: int


@dataclass(frozen=True)
class VideoSummary:
    """What :func:`stylize` did.

    Attributes:
        frames: The number of frames written or shown.
        dropped: The number of frames of a live source that were dropped.
        seconds: The time that it took.
        fps: Frames per second, over the whole time.
        p95_ms: The 95th percentile of the time that the session took for a frame, over the last frames.
        stopped: Whether it was interrupted; the frames until then are in the file.
    """

    frames: int
    dropped: int
    seconds: float
    fps: float
    p95_ms: float
    stopped: bool


class Screen(Protocol):
    """Somewhere to show frames; called from the main thread."""

    def show(self, picture: Picture) -> bool:
        """Show a frame; False once the user has closed it."""
        ...


class _StoppableQueue:
    """A short queue between two threads that both end when either stops."""

    def __init__(self, stop: threading.Event, length: int = _QUEUE) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(length)
        self._stop = stop

    def put(self, item: Any) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.05)
            except queue.Full:
                continue
            return True
        return False

    def put_newest(self, item: Any) -> int:
        """Put an item in at once; what the queue holds is thrown away for it. Returns how many items were thrown
        away.
        """
        dropped = 0
        while True:
            try:
                self._queue.put_nowait(item)
            except queue.Full:
                try:
                    self._queue.get_nowait()
                    dropped += 1
                except queue.Empty:
                    pass
            else:
                return dropped

    def get(self) -> Any:
        while True:
            try:
                return self._queue.get(timeout=0.05)
            except queue.Empty:
                if self._stop.is_set():
                    return _END


class _Stream:
    def __init__(
        self, source: VideoSource, session: Callable[[Picture], Picture], smooth: TemporalSmoother | None
    ) -> None:
        self.source, self.session, self.smooth = source, session, smooth
        self.stop, self.failed = threading.Event(), threading.Event()
        self.decoded = _StoppableQueue(self.stop, 1 if source.live else _QUEUE)
        self.stylized = _StoppableQueue(self.failed)
        self.error: BaseException | None = None
        self.dropped = self.done = self.written = 0
        self.frame_ms: deque[float] = deque(maxlen=_RECENT)
        self.times: deque[float] = deque(maxlen=_RECENT)

    def guarded(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            # Any exception in this thread is raised again in the caller's thread.
            except BaseException as error:  # noqa: BLE001
                self.error = self.error or error
                self.failed.set()
                self.stop.set()

        thread = threading.Thread(target=run, name=f"pocketlens {work.__name__}", daemon=True)
        thread.start()
        return thread

    def decode(self) -> None:
        for item in self.source:
            if self.stop.is_set():
                break
            if self.source.live:
                self.dropped += self.decoded.put_newest(item)
            elif not self.decoded.put(item):
                break
        self.decoded.put(_END)

    def infer(self) -> None:
        while (item := self.decoded.get()) is not _END:
            if isinstance(item, Frame):
                start = time.perf_counter()
                picture = self.session(item.picture)
                if self.smooth is not None:
                    picture = self.smooth(item.picture, picture)
                self.frame_ms.append(1000 * (time.perf_counter() - start))
                self.times.append(time.perf_counter())
                self.done += 1
                # If the frame was not scaled, the result has the size of the session's output: smaller with "crop".
                size = picture.shape[:2] if item.picture.shape[:2] == item.size else item.size
                item = Frame(picture, size, item.pts, item.time_base, item.duration)
            if not self.stylized.put(item):
                break
        self.stylized.put(_END)

    def progress(self) -> VideoProgress:
        times = list(self.times)
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        return VideoProgress(
            self.done, self.source.frames, (len(times) - 1) / span if span else 0.0, self.p95, self.dropped
        )

    @property
    def p95(self) -> float:
        return float(np.percentile(list(self.frame_ms), 95)) if self.frame_ms else 0.0


def stylize(
    session: Callable[[Picture], Picture],
    source: VideoSource,
    target: Path | None = None,
    *,
    screen: Screen | None = None,
    smooth: float = 0.0,
    progress: Callable[[VideoProgress], None] | None = None,
    most_frames: int | None = None,
) -> VideoSummary:
    """Stylize a clip or a camera's pictures into a file, onto a screen, or both.

    Decoding, stylizing and encoding run at the same time. Every frame of a file is stylized; frames of a live source
    that come while the filter is busy are dropped. Ctrl-C ends it: the file is finished and kept. For a session that
    stretches, the decoder scales frames to the session's size and the encoder scales them back: FFmpeg does both in a
    fifth of the time.

    Args:
        session: A :class:`~pocketlens.Session`, or any function from ``uint8 [H, W, 3]`` to the same.
        source: From :func:`~pocketlens.runtimes.video.source.open_file` or ``open_camera``; it is closed at the end.
        target: ``.mp4``, ``.mov`` or ``.mkv``; the sound of a file is copied.
        screen: A window that shows frames.
        smooth: 0..1, against flicker; see :class:`~pocketlens.runtimes.video.smooth.TemporalSmoother`.
        progress: Called with the state of the stream, a few times a second.
        most_frames: The number of frames after which to stop.

    Raises:
        InputError: The source is damaged, the target cannot be written, or there was no frame at all.
    """
    if target is None and screen is None:
        raise InputError("there is nowhere for the frames to go", do="give a file or a screen")
    if not 0 <= smooth < 1:
        raise InputError(f"smooth is {smooth}, expected 0 to below 1", do="0.7 is a good strength")
    if isinstance(session, Session) and session.resize == "stretch":
        source.at = session.computes_at
    stream = _Stream(source, session, TemporalSmoother(smooth) if smooth else None)
    start = time.perf_counter()
    try:
        if target is None:
            stopped = _run(stream, None, screen, progress, most_frames)
        else:
            with whole(target) as part:
                stopped = _run(stream, VideoSink(part, source), screen, progress, most_frames)
    finally:
        source.close()
    seconds = time.perf_counter() - start
    return VideoSummary(stream.written, stream.dropped, seconds, stream.written / seconds, stream.p95, stopped)


def _run(
    stream: _Stream,
    sink: VideoSink | None,
    screen: Screen | None,
    progress: Callable[[VideoProgress], None] | None,
    most: int | None,
) -> bool:
    shown: queue.Queue[Frame] = queue.Queue(1)

    def encode() -> None:
        while (item := stream.stylized.get()) is not _END:
            if most is not None and stream.written >= most:
                stream.stop.set()  # frames that are still queued are dropped
                continue
            if not isinstance(item, Frame):
                if sink is not None:
                    sink.copy(item)
                continue
            if sink is not None:
                sink.write(item.picture, item.size, item.pts, item.time_base, item.duration)
            if screen is not None:
                _replace(shown, item)
            stream.written += 1

    threads = [stream.guarded(work) for work in (stream.decode, stream.infer, encode)]
    stopped, reported = False, 0.0
    try:
        while threads[-1].is_alive():
            if screen is None:
                threads[-1].join(0.05)
            elif (frame := _newest(shown)) is not None and not screen.show(scale(frame.picture, *frame.size)):
                break
            if progress is not None and time.monotonic() - reported > 0.2:
                reported = time.monotonic()
                progress(stream.progress())
    except KeyboardInterrupt:
        stopped = True
    stream.stop.set()  # decoding ends; frames that are queued are finished
    for thread in threads[1:]:
        thread.join()
    threads[0].join(1.0)  # a camera may be waiting for its next picture
    if sink is not None:
        sink.close()
    if stream.error is not None:
        raise stream.error
    if not stream.written:
        raise InputError(f"{stream.source.name} gave no frame", do="check that it plays")
    if progress is not None:
        progress(stream.progress())
    return stopped


def _replace(shown: "queue.Queue[Frame]", frame: Frame) -> None:
    with contextlib.suppress(queue.Empty):
        shown.get_nowait()
    shown.put(frame)


def _newest(shown: "queue.Queue[Frame]") -> Frame | None:
    try:
        return shown.get(timeout=0.05)
    except queue.Empty:
        return None
