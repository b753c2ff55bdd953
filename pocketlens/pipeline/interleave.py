"""Graphs played in turns, so that what else the machine does meets all of them alike."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_WARM, _RUNS = 3, 15


def medians(paths: Sequence[Path], size: tuple[int, int], threads: int) -> list[float]:
    """The median time of each graph in onnxruntime, in milliseconds.

    Args:
        paths: Graphs of one picture in and one out.
        size: Height and width in pixels.
        threads: Of onnxruntime.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    sessions = [ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]) for path in paths]
    picture = (np.random.default_rng(0).random((1, 3, *size)) * 255).astype(np.float32)
    times: list[list[float]] = [[] for _ in sessions]
    for turn in range(_WARM + _RUNS):
        for session, taken in zip(sessions, times, strict=True):
            began = time.perf_counter()
            session.run(None, {session.get_inputs()[0].name: picture})
            if turn >= _WARM:
                taken.append(1000 * (time.perf_counter() - began))
    return [float(np.median(taken)) for taken in times]
