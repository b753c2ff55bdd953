"""Packages that others write: coremltools' torch converter, and its compressed weights."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from pocketlens.quality import psnr
from pocketlens.runtimes import apple
from pocketlens.runtimes.mil import package as packages
from pocketlens.runtimes.mil import program as programs
from pocketlens.runtimes.mil.decode import DECODERS
from pocketlens.runtimes.session import open_artifact
from tests.generators import picture, seeded

SIZE = (32, 48)


@pytest.fixture(scope="module")
def ct() -> ModuleType:
    return apple.coremltools()


@pytest.fixture(scope="module")
def traced() -> Any:
    return torch.jit.trace(seeded(), torch.zeros(1, 3, *SIZE))


def convert(ct: ModuleType, traced: Any, **options: Any) -> Any:
    bias = [-1.0, -1.0, -1.0]
    with apple.quiet():
        return ct.convert(
            traced,
            inputs=[ct.ImageType("image", shape=(1, 3, *SIZE), scale=2 / 255, bias=bias)],
            skip_model_load=True,
            **options,
        )


@pytest.mark.parametrize("target", ["iOS15", "iOS16", "iOS17", "iOS18"])
def test_what_coremltools_converts_from_torch(tmp_path: Path, ct: ModuleType, traced: Any, target: str) -> None:
    image = picture(*SIZE)
    with torch.no_grad():
        scaled = torch.from_numpy(image.astype(np.float32).transpose(2, 0, 1))[None] * 2 / 255 - 1
        expected = (traced(scaled)[0].permute(1, 2, 0).numpy() + 1) * 127.5
    for precision, least in ((ct.precision.FLOAT32, 100), (ct.precision.FLOAT16, 50)):
        path = tmp_path / f"{precision.value}.mlpackage"
        convert(ct, traced, compute_precision=precision, minimum_deployment_target=ct.target[target]).save(str(path))
        with open_artifact(path, "mil") as session:
            output = (session.floats(image) + 1) * 127.5
        assert psnr(expected.astype(np.float32), output) > least


def _palettized(ct: ModuleType, **options: Any) -> Callable[[Any], Any]:
    c = ct.optimize.coreml
    config = c.OptimizationConfig(global_config=c.OpPalettizerConfig(mode="uniform", weight_threshold=0, **options))
    return lambda model: c.palettize_weights(model, config)


def _quantized(ct: ModuleType, **options: Any) -> Callable[[Any], Any]:
    c = ct.optimize.coreml
    config = c.OptimizationConfig(global_config=c.OpLinearQuantizerConfig(weight_threshold=0, **options))
    return lambda model: c.linear_quantize_weights(model, config)


def _pruned(ct: ModuleType) -> Callable[[Any], Any]:
    c = ct.optimize.coreml
    config = c.OptimizationConfig(global_config=c.OpMagnitudePrunerConfig(target_sparsity=0.6, weight_threshold=0))
    return lambda model: c.prune_weights(model, config)


def _both(ct: ModuleType) -> Callable[[Any], Any]:
    c = ct.optimize.coreml
    config = c.OptimizationConfig(global_config=c.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=0))
    return lambda model: c.palettize_weights(_pruned(ct)(model), config, joint_compression=True)


def _both_quantized(ct: ModuleType) -> Callable[[Any], Any]:
    c = ct.optimize.coreml
    config = c.OptimizationConfig(global_config=c.OpLinearQuantizerConfig(mode="linear_symmetric", weight_threshold=0))
    return lambda model: c.linear_quantize_weights(_pruned(ct)(model), config, joint_compression=True)


COMPRESSED: dict[str, tuple[str, Callable[[ModuleType], Callable[[Any], Any]], set[str]]] = {
    "int8": ("iOS16", lambda ct: _quantized(ct, mode="linear_symmetric"), {"constexpr_affine_dequantize"}),
    "uint8": ("iOS16", lambda ct: _quantized(ct, mode="linear", dtype="uint8"), {"constexpr_affine_dequantize"}),
    "int8, iOS 18": ("iOS18", _quantized, {"constexpr_blockwise_shift_scale"}),
    "int4 in blocks": (
        "iOS18",
        lambda ct: _quantized(ct, dtype="int4", granularity="per_block", block_size=4),
        {"constexpr_blockwise_shift_scale"},
    ),
    "uint4": ("iOS18", lambda ct: _quantized(ct, mode="linear", dtype="uint4"), {"constexpr_blockwise_shift_scale"}),
    "palette of 64": ("iOS16", lambda ct: _palettized(ct, nbits=6), {"constexpr_lut_to_dense"}),
    "palette of 4": ("iOS16", lambda ct: _palettized(ct, nbits=2), {"constexpr_lut_to_dense"}),
    "palette of 8, iOS 18": ("iOS18", lambda ct: _palettized(ct, nbits=3), {"constexpr_lut_to_dense"}),
    "palettes of groups": (
        "iOS18",
        lambda ct: _palettized(ct, nbits=4, granularity="per_grouped_channel", group_size=4),
        {"constexpr_lut_to_dense"},
    ),
    "sparse": ("iOS16", _pruned, {"constexpr_sparse_to_dense"}),
    "sparse, iOS 18": ("iOS18", _pruned, {"constexpr_sparse_to_dense"}),
    "sparse palette": ("iOS18", _both, {"constexpr_lut_to_sparse", "constexpr_sparse_to_dense"}),
    "sparse int8": (
        "iOS18",
        _both_quantized,
        {"constexpr_sparse_blockwise_shift_scale", "constexpr_sparse_to_dense"},
    ),
}


@pytest.fixture(scope="module")
def dense(ct: ModuleType, traced: Any) -> dict[str, Any]:
    """A package with dense weights for each target; compressing leaves it as it is."""
    return {
        target: convert(ct, traced, compute_precision=ct.precision.FLOAT32, minimum_deployment_target=ct.target[target])
        for target in ("iOS16", "iOS18")
    }


@pytest.mark.parametrize("name", COMPRESSED)
def test_weights_are_decoded_as_coremltools_decodes_them(
    tmp_path: Path, ct: ModuleType, dense: dict[str, Any], name: str
) -> None:
    target, compress, kinds = COMPRESSED[name]
    with apple.quiet():
        small = compress(ct)(dense[target])
        small.save(str(tmp_path / "small.mlpackage"))
        ct.optimize.coreml.decompress_weights(small).save(str(tmp_path / "large.mlpackage"))
    package = packages.read(tmp_path / "small.mlpackage")
    block = package.spec.mlProgram.functions["main"].block_specializations
    stored = {op.type for b in block.values() for op in b.operations if op.type.startswith("constexpr_")}
    assert stored == kinds
    image = picture(*SIZE)
    with (
        open_artifact(tmp_path / "small.mlpackage", "mil") as ours,
        open_artifact(tmp_path / "large.mlpackage", "mil") as theirs,
    ):
        expected = (theirs.floats(image) + 1) * 127.5
        assert psnr(expected, (ours.floats(image) + 1) * 127.5) > 90


def test_every_decoder_is_tested() -> None:
    tested = {kind for _, _, kinds in COMPRESSED.values() for kind in kinds}
    assert set(DECODERS) - tested == {"constexpr_cast"}


def test_a_palette_of_vectors() -> None:
    # The example of coremltools' documentation: two vectors of three, on either axis.
    lut = np.array([[10, 11, 12], [20, 21, 22]], np.int8).reshape(1, 1, 1, 2, 3)
    indices = np.array([[[0, 0], [1, 0]], [[1, 1], [0, 0]]], np.uint8)
    (decoded,) = DECODERS["constexpr_lut_to_dense"]({"indices": indices, "lut": lut, "vector_axis": np.array(1)})
    assert decoded[0].tolist() == [[10, 10], [11, 11], [12, 12], [20, 10], [21, 11], [22, 12]]
    (decoded,) = DECODERS["constexpr_lut_to_dense"]({"indices": indices, "lut": lut, "vector_axis": np.array(2)})
    assert decoded[0].tolist() == [[10, 11, 12, 10, 11, 12], [20, 21, 22, 10, 11, 12]]


HOSTILE: dict[str, tuple[str, dict[str, np.ndarray]]] = {
    "index past the table": (
        "constexpr_lut_to_dense",
        {"indices": np.array([0, 3], np.uint8), "lut": np.zeros((1, 2, 1), np.float32)},
    ),
    "too few indices": (
        "constexpr_lut_to_dense",
        {"indices": np.zeros(1, np.uint8), "lut": np.zeros(16), "shape": np.array([4, 4])},
    ),
    "too few values": (
        "constexpr_sparse_to_dense",
        {"mask": np.array([255], np.uint8), "nonzero_data": np.zeros(3), "shape": np.array([8])},
    ),
    "mask too short": (
        "constexpr_sparse_to_dense",
        {"mask": np.array([255], np.uint8), "nonzero_data": np.zeros(8), "shape": np.array([80])},
    ),
    "blocks that do not fit": (
        "constexpr_blockwise_shift_scale",
        {"data": np.zeros((4, 5), np.int8), "scale": np.ones((4, 2), np.float32)},
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_weights_that_do_not_fit_are_refused(name: str) -> None:
    kind, arguments = HOSTILE[name]
    with pytest.raises(ValueError, match=r"\d"):
        DECODERS[kind](arguments)


def test_a_flexible_program_is_read(tmp_path: Path, ct: ModuleType, traced: Any) -> None:
    shapes = ct.EnumeratedShapes([[1, 3, *SIZE], [1, 3, 64, 64]], default=[1, 3, *SIZE])
    with apple.quiet():
        model = ct.convert(
            traced, inputs=[ct.ImageType("image", shape=shapes)], minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        )  # fmt: skip
    model.save(str(tmp_path / "p.mlpackage"))
    program = programs.read(packages.read(tmp_path / "p.mlpackage"), lambda kind: True)
    assert program.image.type.shape == (1, 3, None, None)
    with open_artifact(tmp_path / "p.mlpackage", "mil") as session:
        assert session.size == SIZE
        assert np.isfinite(session.floats(picture(*SIZE))).all()
