"""Video: decoding, stylizing and encoding run at the same time, each in a thread, with short queues between them."""

from pocketlens.runtimes.video.stream import VideoProgress, VideoSummary, stylize

__all__ = ["VideoProgress", "VideoSummary", "stylize"]
