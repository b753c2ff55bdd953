"""What a quantized graph itself makes of the evaluation pictures: a low-bit file must give the same."""

from pathlib import Path

import numpy as np

from pocketlens.files import cached, sha256
from pocketlens.images import Floats
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.stage_key import stage_key


def play_graph(graph: Path, eval_set: EvalSet) -> tuple[Floats, ...]:
    """The graph's pictures: ``float32 [height, width, 3]``, one for each evaluation picture."""

    def make(folder: Path) -> None:
        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.simulate import simulate

        np.save(folder / "pictures.npy", np.stack(simulate(hub.load(graph), eval_set.pictures, eval_set.styles)))

    entry = cached("graph-outputs", stage_key(graph=sha256(graph), pictures=eval_set.digest()), make)
    return tuple(np.load(entry / "pictures.npy", allow_pickle=False))
