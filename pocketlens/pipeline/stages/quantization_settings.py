"""Which settings of a plan help this generator: measured on the calibration pictures where the recipe leaves them
open.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.converters import graph as hub
from pocketlens.converters.quantization.plan import Plan
from pocketlens.files import cached, sha256
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.pipeline.stages.plan import SETTINGS
from pocketlens.pipeline.stages.quantizer import GraphQuantizer
from pocketlens.recipe import Quantize

if TYPE_CHECKING:
    from pocketlens.converters.quantization.settings import SettingTrial


def measure_settings(quantizer: GraphQuantizer, quantize: Quantize) -> "tuple[Plan, tuple[SettingTrial, ...]]":
    """The quantizer's plan with the settings that measure best, and what each gained; kept in the cache.

    Raises:
        InputError: A value cannot be calibrated.
    """
    from pocketlens.converters.quantization.settings import SettingTrial, choose_settings

    fixed = [name for name in SETTINGS if getattr(quantize, name) is not None]
    spec = quantizer.spec
    if spec.arithmetic.quantizes != "activations" or len(fixed) == len(SETTINGS) or quantizer.is_trained:
        return quantizer.plan, ()

    def make(folder: Path) -> None:
        plan, trials = choose_settings(
            hub.load(quantizer.graph), quantizer.plan, quantizer.calibration.pictures, spec.format.quantizers,
            quantizer.rewrite, fixed,
        )  # fmt: skip
        document = {"plan": plan.to_json(), "trials": [asdict(trial) for trial in trials]}
        (folder / "settings.json").write_text(json.dumps(document))

    key = stage_key(
        graph=sha256(quantizer.graph), rewrites=quantizer.target_graph.rewrites, target=spec.target,
        plan=quantizer.plan.to_json(), fixed=fixed, calibration=quantizer.calibration.digest(),
    )  # fmt: skip
    document = json.loads((cached("quantization-settings", key, make) / "settings.json").read_text())
    return Plan.from_json(document["plan"]), tuple(SettingTrial(**trial) for trial in document["trials"])
