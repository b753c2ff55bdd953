"""The graphs of docs/upstream.md are wrong on the NPU of onnxruntime-qnn as the page says."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from pocketlens.runtimes.adapter import RUNTIMES

PAGE = Path(__file__).resolve().parents[3] / "docs/upstream.md"
_OTHERS = ("convert_last", "one_row")
"""The first is left to the processor, the compiler does not end on the second."""
GRAPHS = {
    name: text
    for text in re.findall(r"```\n(<ir_version.*?)```", PAGE.read_text(), re.DOTALL)
    if (name := text.splitlines()[1].split()[0]) not in _OTHERS
}
LEAST_SHARE = 2e-3
"""Of the range of the values: what a graph is wrong by at least; half precision rounds to a quarter of that."""
needs_the_faults = pytest.mark.skipif(
    bool(RUNTIMES["qnn"].missing()) or RUNTIMES["qnn"].version() != "2.7.0",
    reason=f"the faults are known of onnxruntime-qnn 2.7.0: {RUNTIMES['qnn'].install}",
)


def test_the_page_has_graphs() -> None:
    assert len(GRAPHS) >= 12


@needs_the_faults
@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_of_the_page_is_wrong(name: str) -> None:
    from pocketlens.runtimes.qnn import open_session

    model = onnx.parser.parse_model(GRAPHS[name])
    (picture,) = model.graph.input
    kind = onnx.helper.tensor_dtype_to_np_dtype(picture.type.tensor_type.elem_type)
    shape = [axis.dim_value for axis in picture.type.tensor_type.shape.dim]
    most = 4.0 if kind == np.float32 else np.iinfo(kind).max
    feeds = {picture.name: np.random.default_rng(0).uniform(0, most, shape).astype(kind)}
    file = model.SerializeToString()
    here = ort.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, feeds)[0].astype(np.float64)
    there = open_session(file, {"session.disable_cpu_ep_fallback": "1"}, 57).run(None, feeds)[0].astype(np.float64)
    share = np.abs(here - there).max() / np.ptp(here)
    assert share > LEAST_SHARE, f"{name} is right to {share:.1e}: take it out of docs/upstream.md"
