"""Video: decoding, stylizing and encoding at the same time, each in a thread, with short queues between them."""

from pocketlens.runtimes.video.stream import Progress, Streamed, stylize

__all__ = ["Progress", "Streamed", "stylize"]
