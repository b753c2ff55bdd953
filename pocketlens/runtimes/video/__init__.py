"""Video: decoding, stylizing and encoding run at the same time, each in a thread, with short queues between them."""

from pocketlens.runtimes.video.report import VideoProgress, VideoSummary
from pocketlens.runtimes.video.stream import stylize

__all__ = ["VideoProgress", "VideoSummary", "stylize"]
