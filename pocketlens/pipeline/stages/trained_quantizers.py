"""The graph of a generator that was trained through the rounding of int8, with the ranges that it learnt."""

from pathlib import Path

from pocketlens.errors import InputError
from pocketlens.files import cached, sha256
from pocketlens.models.source import Source
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.targets import TARGETS


def insert_trained_quantizers(source: Source, graph: Path, target: str) -> Path | None:
    """The graph with the quantizers of quantization-aware training; None where the source was not trained so.

    Raises:
        InputError: The graph does not hold the layers that were trained.
    """
    if source.kind != "checkpoint" or source.path is None:
        return None
    from pocketlens.models.checkpoint_metadata import read_metadata

    metadata = read_metadata(source.path)
    if metadata is None or not metadata.ranges:
        return None
    ranges = metadata.ranges

    def make(folder: Path) -> None:
        from torch import nn

        from pocketlens.converters import graph as hub
        from pocketlens.converters.quantization.qat import TrainedConv, insert_qat_quantizers

        modules = dict(source.load().named_modules())
        layers = []
        for name, span in ranges.items():
            layer = modules.get(name)
            if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                raise InputError(
                    f"{source.path} has a range for {name!r}, which is no convolution of its", do="get the file again"
                )
            layers.append(TrainedConv(name, layer.weight.detach().numpy(), isinstance(layer, nn.ConvTranspose2d), span))
        quantized = insert_qat_quantizers(
            hub.load(graph), layers, source.ranges.input, dynamic_ranges=TARGETS[target].quantizers.dynamic_ranges
        )
        hub.save(quantized, folder / "graph.onnx")

    key = stage_key(target=target, graph=sha256(graph), source=source.key)
    return cached("trained-quantizers", key, make) / "graph.onnx"
