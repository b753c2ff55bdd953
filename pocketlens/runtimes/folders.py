"""Stylizes many pictures: files are decoded, played and encoded at the same time, and a broken one stops nothing."""

import functools
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pocketlens import images
from pocketlens.credentials import NO_SEAL, Seal
from pocketlens.errors import InputError
from pocketlens.images import Picture
from pocketlens.progress import Progress, silent
from pocketlens.runtimes.session import Session

_WAITING = 4
"""Pictures that are begun or wait, for each worker: enough to keep it busy, and few enough to keep memory flat."""
Look = Callable[[Picture, Picture], None]
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class PictureJob:
    """A picture's file, and the one to write."""

    source: Path
    target: Path

    @property
    def done(self) -> bool:
        """Whether the result is there, whole, and no older than the picture."""
        try:
            with self.target.open("rb") as stream:
                stream.seek(-len(_PNG_END), 2)
                whole = stream.read() == _PNG_END or self.target.suffix != ".png"
            return whole and self.target.stat().st_mtime_ns >= self.source.stat().st_mtime_ns
        except OSError:
            return False


@dataclass(frozen=True)
class PictureDone:
    """What became of a job.

    Attributes:
        job: The job.
        size: Height and width of the picture, in pixels; None if it is broken.
        problem: Why it cannot be read; None if it could.
    """

    job: PictureJob
    size: tuple[int, int] | None
    problem: InputError | None = None


def stylize_file(session: Session, job: PictureJob, look: Look | None = None, seal: Seal = NO_SEAL) -> PictureDone:
    """Decode, play and encode one picture, which keeps its alpha.

    Args:
        session: What plays it.
        job: The picture.
        look: Called with the picture and its result, ``uint8 [H, W, 3]``, before that is written.
        seal: What the result says of where it comes from.

    Raises:
        InputError: The artifact fails, or the result cannot be written. A picture that cannot be read raises nothing.
    """
    free: queue.SimpleQueue[Session] = queue.SimpleQueue()
    free.put(session)
    return _stylize(free, job, look, seal)


def stylize_files(
    sessions: Sequence[Session],
    jobs: Sequence[PictureJob],
    progress: Progress = silent,
    workers: int | None = None,
    *,
    seal: Seal = NO_SEAL,
) -> Iterator[PictureDone]:
    """Stylize pictures on several threads, of which each takes a session only while it plays.

    Args:
        sessions: As many as may play at the same time; on a processor sessions of one thread, one for each core.
        jobs: The pictures.
        progress: Told how many are done, and how many a second.
        workers: The number of threads; None for one more than there are sessions.
        seal: What the results say of where they come from.

    Yields:
        What became of each job, in order. Only a few pictures are in memory at a time.

    Raises:
        InputError: The artifact fails, or a result cannot be written. What was done until then stays.
    """
    free: queue.SimpleQueue[Session] = queue.SimpleQueue()
    for session in sessions:
        free.put(session)
    workers = workers or len(sessions) + 1
    started, count = time.monotonic(), 0
    pool = ThreadPoolExecutor(workers, "pocketlens pictures")
    waiting: deque[Future[PictureDone]] = deque()
    try:
        remaining = iter(jobs)
        while True:
            while len(waiting) < _WAITING * workers and (job := next(remaining, None)) is not None:
                waiting.append(pool.submit(_stylize, free, job, None, seal))
            if not waiting:
                return
            done = waiting.popleft().result()
            count += 1
            rate = count / max(time.monotonic() - started, 1e-9)
            progress(f"pictures: {rate:.1f} a second, {done.job.source.name}", count, len(jobs))
            yield done
    finally:
        pool.shutdown(cancel_futures=True)


def _stylize(
    free: "queue.SimpleQueue[Session]", job: PictureJob, look: Look | None = None, seal: Seal = NO_SEAL
) -> PictureDone:
    try:
        decoded = images.decode(job.source)
    except InputError as error:
        return PictureDone(job, None, error)
    session = free.get()
    try:
        session.reset()
        stylized = session(decoded.picture)
    finally:
        free.put(session)
    if look is not None:
        look(decoded.picture, stylized)
    alpha = decoded.alpha if decoded.picture.shape == stylized.shape else None
    if stylized.shape[2:] == (4,):
        stylized, alpha = stylized[..., :3], stylized[..., 3]
    images.write(job.target, stylized, alpha, xmp=seal.xmp, finish=functools.partial(seal.finish, source=job.source))
    return PictureDone(job, (decoded.picture.shape[0], decoded.picture.shape[1]))
