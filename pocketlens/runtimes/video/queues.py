"""Short queues between the threads of a stream."""

import queue
import threading
from typing import Any

END = object()
"""What a queue gives when nothing else will come."""


class StoppableQueue:
    """A short queue between two threads that both end when either stops."""

    def __init__(self, stop: threading.Event, length: int) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(length)
        self._stop = stop

    def put(self, item: Any) -> bool:
        """Wait for room and put an item in; False once either has stopped."""
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
        """The next item; :data:`END` once either has stopped and nothing is left."""
        while True:
            try:
                return self._queue.get(timeout=0.05)
            except queue.Empty:
                if self._stop.is_set():
                    return END
