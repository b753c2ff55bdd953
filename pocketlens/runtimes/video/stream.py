"""Stylizes the frames of a source into a file or onto a screen."""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pocketlens.errors import InputError
from pocketlens.files import whole
from pocketlens.images import Picture, to_uint8
from pocketlens.origin import ISO_SUFFIXES, Origin, append_xmp
from pocketlens.runtimes.scaling import scale
from pocketlens.runtimes.session import Session
from pocketlens.runtimes.video.queues import END, StoppableQueue
from pocketlens.runtimes.video.report import VideoProgress, VideoSummary
from pocketlens.runtimes.video.sink import VideoSink
from pocketlens.runtimes.video.smooth import TemporalSmoother
from pocketlens.runtimes.video.source import Frame, VideoSource

Filter = Callable[[Picture], Picture]
Look = Callable[[Picture, Picture], None]
"""Looks at a frame and what became of it; what it raises ends the stream."""
_QUEUE = 4
_RECENT = 120


class Screen(Protocol):
    """Somewhere to show frames; called from the main thread."""

    def show(self, picture: Picture) -> bool:
        """Show a frame; False once the user has closed it."""
        ...


class _Stream:
    def __init__(
        self,
        source: VideoSource,
        sessions: Sequence[Filter],
        smooth: TemporalSmoother | None,
        look: Look | None = None,
    ) -> None:
        self.source, self.smooth, self._look, self._at_once = source, smooth, look, len(sessions)
        self._free: queue.SimpleQueue[Filter] = queue.SimpleQueue()
        for session in sessions:
            self._free.put(session)
        self.stop, self.failed = threading.Event(), threading.Event()
        length = 1 if source.live else _QUEUE  # what waits grows old: a camera's frame is dropped instead
        self.decoded = StoppableQueue(self.stop, length)
        self.stylized = StoppableQueue(self.failed, length)
        self.error: BaseException | None = None
        self.dropped = self.done = self.written = 0
        self.decode_ms, self.frame_ms, self.encode_ms, self.age_ms = (deque[float](maxlen=_RECENT) for _ in range(4))
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
        self.decoded.put(END)

    def infer(self) -> None:
        """Give frames to the sessions, and take them back in order."""
        waiting: deque[tuple[Any, Future[Picture] | None]] = deque()
        most = self._at_once + (self._at_once > 1)  # one more than can play, so that no session waits
        with ThreadPoolExecutor(self._at_once, "pocketlens filter") as pool:
            while (item := self.decoded.get()) is not END:
                waiting.append((item, pool.submit(self._filter, item.picture) if isinstance(item, Frame) else None))
                while waiting and (waiting[0][1] is None or sum(future is not None for _, future in waiting) >= most):
                    if not self._pass_on(*waiting.popleft()):
                        return
            while waiting and self._pass_on(*waiting.popleft()):
                pass
        self.stylized.put(END)

    def _filter(self, picture: Picture) -> Picture:
        session, start = self._free.get(), time.perf_counter()
        try:
            return over_green(session(picture))
        finally:
            self._free.put(session)
            self.frame_ms.append(1000 * (time.perf_counter() - start))

    def _pass_on(self, item: Any, stylizing: "Future[Picture] | None") -> bool:
        if stylizing is not None:
            picture = stylizing.result()
            if self._look is not None:
                self._look(item.picture, picture)
            if self.smooth is not None:
                picture = self.smooth(item.picture, picture)
            self.times.append(time.perf_counter())
            self.done += 1
            self.decode_ms.append(item.decode_ms)
            # If the frame was not scaled, the result has the size of the session's output: smaller with "crop".
            size = picture.shape[:2] if item.picture.shape[:2] == item.size else item.size
            item = replace(item, picture=picture, size=size)
        return self.stylized.put(item)

    def shown(self, frame: Frame) -> None:
        """Take note that a frame has reached its end: the screen, or else the file."""
        self.age_ms.append(1000 * (time.monotonic() - frame.arrived))

    def progress(self) -> VideoProgress:
        times = list(self.times)
        span = times[-1] - times[0] if len(times) > 1 else 0.0
        return VideoProgress(
            self.done, self.source.frames, (len(times) - 1) / span if span else 0.0, self.p95, self.dropped
        )

    @property
    def p95(self) -> float:
        return _percentile(self.frame_ms, 95)


def stylize(
    session: Filter | Sequence[Filter],
    source: VideoSource,
    target: Path | None = None,
    *,
    screen: Screen | None = None,
    smooth: float = 0.0,
    progress: Callable[[VideoProgress], None] | None = None,
    most_frames: int | None = None,
    origin: Origin | None = None,
    finish: Callable[[Path], None] | None = None,
    look: Look | None = None,
) -> VideoSummary:
    """Stylize a clip or a camera's pictures into a file, onto a screen, or both.

    Decoding, stylizing and encoding run at the same time. Every frame of a file is stylized; frames of a live source
    that come while the filter is busy are dropped. Ctrl-C ends it: the file is finished and kept. For a session that
    stretches, the decoder scales frames to the session's size and the encoder scales them back: FFmpeg does both in a
    fifth of the time. States that the session keeps begin anew. A picture with alpha is laid over green, since the
    formats of clips have none.

    Args:
        session: A :class:`~pocketlens.Session`, or any function from ``uint8 [H, W, 3]`` to the same. Of several, each
            plays a frame of its own at the same time; a live source uses the first only.
        source: From :func:`~pocketlens.runtimes.video.source.open_file` or ``open_camera``; it is closed at the end.
        target: ``.mp4``, ``.mov`` or ``.mkv``; the sound of a file is copied.
        screen: A window that shows frames.
        smooth: 0..1, against flicker; see :class:`~pocketlens.runtimes.video.smooth.TemporalSmoother`.
        progress: Called with the state of the stream, a few times a second.
        most_frames: The number of frames after which to stop.
        origin: What the file says of where it comes from: MP4 and MOV files as XMP, all as a comment.
        finish: Called with the written file before it takes its place; where it raises, nothing is written.
        look: Called with each frame that the filter got and what it made of it, in order; where it raises, nothing is
            written.

    Raises:
        InputError: The source is damaged, the target cannot be written, or there was no frame at all.
    """
    if target is None and screen is None:
        raise InputError("there is nowhere for the frames to go", do="give a file or a screen")
    if not 0 <= smooth < 1:
        raise InputError(f"smooth is {smooth}, expected 0 to below 1", do="0.7 is a good strength")
    sessions = list(session) if isinstance(session, Sequence) else [session]
    if isinstance(first := sessions[0], Session):
        first.reset()
        sessions = sessions[:1] if first.states else sessions  # each frame needs what the one before left
        if first.resize == "stretch":
            source.at = first.computes_at
    smoother = TemporalSmoother(smooth) if smooth else None
    stream = _Stream(source, sessions[:1] if source.live else sessions, smoother, look)
    start = time.perf_counter()
    try:
        if target is None:
            stopped = _run(stream, None, screen, progress, most_frames)
        else:
            with whole(target) as part:
                sink = VideoSink(part, source, origin.sentence if origin else "")
                stopped = _run(stream, sink, screen, progress, most_frames)
                if origin and part.suffix.lower() in ISO_SUFFIXES:
                    append_xmp(part, origin.xmp())
                if finish is not None:
                    finish(part)
    finally:
        source.close()
    seconds = time.perf_counter() - start
    return VideoSummary(
        stream.written,
        stream.dropped,
        seconds,
        stream.written / seconds,
        stream.p95,
        stopped,
        decode_ms=_percentile(stream.decode_ms, 50),
        filter_ms=_percentile(stream.frame_ms, 50),
        encode_ms=_percentile(stream.encode_ms, 50),
        age_ms=(_percentile(stream.age_ms, 50), _percentile(stream.age_ms, 95)) if source.live else None,
    )


def _percentile(values: deque[float], percent: float) -> float:
    return float(np.percentile(list(values), percent)) if values else 0.0


def _run(
    stream: _Stream,
    sink: VideoSink | None,
    screen: Screen | None,
    progress: Callable[[VideoProgress], None] | None,
    most: int | None,
) -> bool:
    shown: queue.Queue[Frame] = queue.Queue(1)

    def encode() -> None:
        while (item := stream.stylized.get()) is not END:
            if most is not None and stream.written >= most:
                stream.stop.set()  # frames that are still queued are dropped
                continue
            if not isinstance(item, Frame):
                if sink is not None:
                    sink.copy(item)
                continue
            if sink is not None:
                start = time.perf_counter()
                sink.write(item.picture, item.size, item.pts, item.time_base, item.duration)
                stream.encode_ms.append(1000 * (time.perf_counter() - start))
            if screen is not None:
                _replace(shown, item)
            else:
                stream.shown(item)
            stream.written += 1

    threads = [stream.guarded(work) for work in (stream.decode, stream.infer, encode)]
    stopped, reported = False, 0.0
    try:
        while threads[-1].is_alive():
            if screen is None:
                threads[-1].join(0.05)
            elif (frame := _newest(shown)) is not None:
                if not screen.show(scale(frame.picture, *frame.size)):
                    break
                stream.shown(frame)
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


def over_green(picture: Picture) -> Picture:
    """A picture with alpha laid over green, ``uint8 [H, W, 3]``; one without as it is."""
    if picture.ndim < 3 or picture.shape[2] < 4:
        return picture
    share: NDArray[np.float32] = picture[..., 3:].astype(np.float32) / np.float32(255)
    return to_uint8(picture[..., :3] * share + np.array([0, 255, 0], np.float32) * (1 - share))


def _replace(shown: "queue.Queue[Frame]", frame: Frame) -> None:
    with contextlib.suppress(queue.Empty):
        shown.get_nowait()
    shown.put(frame)


def _newest(shown: "queue.Queue[Frame]") -> Frame | None:
    try:
        return shown.get(timeout=0.05)
    except queue.Empty:
        return None
