"""What a stream says of itself while it runs, and at its end."""

from dataclasses import dataclass


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
    """What :func:`~pocketlens.runtimes.video.stream.stylize` did.

    Attributes:
        frames: The number of frames written or shown.
        dropped: The number of frames of a live source that were dropped.
        seconds: The time that it took.
        fps: Frames per second, over the whole time.
        p95_ms: The 95th percentile of the time that the session took for a frame, over the last frames.
        decode_ms: The median time to decode a frame and scale it to the session's size, over the last frames.
        filter_ms: The median time that the session took.
        encode_ms: The median time to scale a frame back and encode it; 0 without a file.
        age_ms: How old a live source's frame was when it was shown, or else in the file: the median and the 95th
            percentile over the last frames; None for a file's frames, which wait for their turn.
        stopped: Whether it was interrupted; the frames until then are in the file.
    """

    frames: int
    dropped: int
    seconds: float
    fps: float
    p95_ms: float
    stopped: bool
    decode_ms: float
    filter_ms: float
    encode_ms: float
    age_ms: tuple[float, float] | None
