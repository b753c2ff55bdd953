"""Profiles ``.onnx`` files with onnxruntime's own profiler."""

import json
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

_END = "_kernel_time"


def profile(
    path: Path, pixels: NDArray[np.float32], threads: int | None, warm: int, frames: int
) -> list[tuple[str, str, list[float]]]:
    """See :class:`pocketlens.bench.profile.Profiler`. Layers carry their node's name, ``_nchwc`` behind it where the
    convolution was given blocked channels; ``ReorderInput`` and ``ReorderOutput`` are what the blocking costs.
    """
    with tempfile.TemporaryDirectory(prefix="pocketlens-") as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 4
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        image, *styles = session.get_inputs()
        feed = {image.name: pixels, **{style.name: np.eye(*style.shape, dtype=np.float32) for style in styles}}
        for _ in range(warm + frames):
            session.run(None, feed)
        events = json.loads(Path(session.end_profiling()).read_text())
    layers: dict[str, tuple[str, list[float]]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_END):
            _, times = layers.setdefault(event["name"].removesuffix(_END), (event["args"]["op_name"], []))
            times.append(event["dur"] / 1000)
    return [(name, operator, times[-frames:]) for name, (operator, times) in layers.items()]
