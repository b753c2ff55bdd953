"""What a report is made of: a manifest, a measurement with every kind of outcome, and pictures."""

import numpy as np
import pytest

from pocketlens.bench.document import Document
from pocketlens.bench.report_pictures import ReportPicture
from pocketlens.bundle.manifest import Manifest
from pocketlens.bundle.read import open_bundle
from pocketlens.bundle.spec import BundleSpec
from pocketlens.bundle.write import write
from pocketlens.quality import compare
from tests.bench.samples import blocks_of, document, result
from tests.generators import picture


@pytest.fixture(scope="module")
def manifest(full_spec: BundleSpec, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("report") / "full.bundle"
    write(full_spec, folder)
    with open_bundle(folder) as bundle:
        return bundle.manifest


@pytest.fixture(scope="module")
def measured() -> Document:
    random = np.random.default_rng(0)
    fast, slow = (blocks_of(*random.normal(t, 0.4, (6, 12)).tolist()) for t in (12, 60))
    return document(
        result(fast, artifact="onnx-fp32-48x64", size=(48, 64)),
        result(slow, artifact="openvino-fp32-48x64", size=(48, 64), runtime="openvino"),
        result(artifact="tflite-fp16-48x64", runtime="litert", failure="the picture is wrong: 9.1 dB"),
        result(artifact="coreml-fp16-48x64", runtime="mil", interpreted=True),
        busy=0.8,
    )


@pytest.fixture(scope="module")
def shown(manifest: Manifest) -> list[ReportPicture]:
    teacher = picture(48, 64)
    wrong = np.clip(teacher.astype(int) + np.random.default_rng(1).integers(-3, 4, teacher.shape), 0, 255)
    artifact = wrong.astype(np.uint8)
    scores = compare(teacher, artifact)
    return [ReportPicture(entry.id, "astronaut.png", teacher, artifact, scores) for entry in manifest.artifacts]
