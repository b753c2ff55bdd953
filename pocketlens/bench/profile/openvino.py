"""Profiles OpenVINO IR files with the counters of OpenVINO's CPU plugin."""

from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from pocketlens.runtimes.openvino import core


def profile(
    path: Path, pixels: NDArray[np.float32], threads: int | None, warm: int, frames: int
) -> list[tuple[str, str, list[float]]]:
    """See :class:`pocketlens.bench.profile.Profiler`. Layers that were merged into another one are not reported."""
    settings = {"PERF_COUNT": "YES", "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    request = core().compile_model(path, "CPU", settings).create_infer_request()
    layers: dict[str, tuple[str, list[float]]] = {}
    for index in range(warm + frames):
        request.infer([pixels], share_inputs=True)
        for layer in request.get_profiling_info() if index >= warm else ():
            if layer.status == ov.ProfilingInfo.Status.EXECUTED:
                _, times = layers.setdefault(layer.node_name, (f"{layer.node_type} {layer.exec_type}", []))
                times.append(layer.real_time.total_seconds() * 1000)
    return [(name, operator, times) for name, (operator, times) in layers.items()]
