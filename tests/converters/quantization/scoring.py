"""How near one graph comes to another."""

import onnx_ir as ir

from pocketlens.converters.quantization.simulate import simulate
from pocketlens.quality import psnr
from tests.generators import picture

JUDGE = [picture(32, 48, seed) for seed in (7, 8)]


def worst(model: ir.Model, reference: ir.Model) -> float:
    return min(psnr(a, b) for a, b in zip(simulate(reference, JUDGE), simulate(model, JUDGE), strict=True))
