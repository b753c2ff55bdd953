"""Let another tool quantize a float file as its documentation says, with its defaults; in a process and environment of
its own.

    python -m benchmarks.quantizers nncf wave.xml calibrate.npy wave-nncf.xml

It is given the same float file that ours starts from, and the same pictures: ``uint8 [count, height, width, 3]``.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pictures = NDArray[np.float32]
"""``float32 [count, height, width, 3]``, 0..255."""
Quantize = Callable[[Path, Pictures, Path], None]


def nncf(source: Path, pictures: Pictures, path: Path) -> None:
    """NNCF's post-training quantization of an OpenVINO network."""
    import nncf as tool
    import openvino as ov

    quantized = tool.quantize(ov.Core().read_model(source), tool.Dataset(list(_planar(pictures))))
    ov.save_model(quantized, path)


def ov_quantizer(source: Path, pictures: Pictures, path: Path) -> None:
    """The optimum-intel OVQuantizer."""
    import nncf as tool
    import openvino as ov
    from optimum.intel import OVConfig, OVModelForCustomTasks, OVQuantizationConfig, OVQuantizer
    from transformers import PretrainedConfig

    model = OVModelForCustomTasks(ov.Core().read_model(source), config=PretrainedConfig(model_type="filter"))
    folder = path.with_suffix("")
    OVQuantizer(model).quantize(
        calibration_dataset=tool.Dataset([{"image": picture} for picture in _planar(pictures)]),
        save_directory=folder,
        ov_config=OVConfig(quantization_config=OVQuantizationConfig()),
    )
    quantized = ov.Core().read_model(folder / "openvino_model.xml")
    quantized.reshape([1, 3, *pictures.shape[1:3]])  # it leaves the size open, which costs time
    ov.save_model(quantized, path)


def onnxruntime_static(source: Path, pictures: Pictures, path: Path) -> None:
    """The quantize_static of onnxruntime."""
    from onnxruntime.quantization import CalibrationDataReader, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(_planar(pictures))

        def get_next(self) -> dict[str, Any] | None:
            picture = next(self._left, None)
            return None if picture is None else {"image": picture}

    quantize_static(source, path, Reader())


def ort_quantizer(source: Path, pictures: Pictures, path: Path) -> None:
    """The ORTQuantizer of optimum, as for a processor with AVX2."""
    import onnx
    from optimum.onnxruntime import ORTQuantizer
    from optimum.onnxruntime.configuration import AutoCalibrationConfig, AutoQuantizationConfig

    folder = path.with_suffix("")
    folder.mkdir(exist_ok=True)
    onnx.save(onnx.load(source), folder / "model.onnx")
    quantizer = ORTQuantizer(folder / "model.onnx")
    config = AutoQuantizationConfig.avx2(is_static=True, per_channel=True)
    rows = [{"image": picture[0]} for picture in _planar(pictures)]
    ranges = quantizer.fit(
        rows,  # any list of rows will do
        AutoCalibrationConfig.minmax(_Rows(rows)),
        operators_to_quantize=config.operators_to_quantize,
    )
    quantizer.quantize(save_dir=folder, calibration_tensors_range=ranges, quantization_config=config)
    (folder / "model_quantized.onnx").rename(path)


class _Rows(list[Any]):
    """A list that has what optimum's settings ask a dataset for."""

    info = type("Info", (), {"builder_name": "pictures", "config_name": "all"})()
    split = "calibrate"
    num_rows = property(len)


def ai_edge_dynamic(source: Path, pictures: Pictures, path: Path) -> None:
    """ai-edge-quantizer, ranges found picture by picture."""
    from ai_edge_quantizer import quantizer, recipe

    tool = quantizer.Quantizer(str(source))
    tool.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    tool.quantize().export_model(str(path), overwrite=True)


def ai_edge_static(source: Path, pictures: Pictures, path: Path) -> None:
    """ai-edge-quantizer, ranges found beforehand."""
    from ai_edge_quantizer import recipe

    _ai_edge(recipe.static_wi8_ai8(), source, pictures, path)


def ai_edge_sixteen(source: Path, pictures: Pictures, path: Path) -> None:
    """ai-edge-quantizer, 8-bit weights and 16-bit activations."""
    from ai_edge_quantizer import recipe

    _ai_edge(recipe.static_wi8_ai16(), source, pictures, path)


def _ai_edge(recipe: Any, source: Path, pictures: Pictures, path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer

    name, signature = next(iter(Interpreter(str(source)).get_signature_list().items()))
    tool = quantizer.Quantizer(str(source))
    tool.load_quantization_recipe(recipe)
    ranges = tool.calibrate({name: [{signature["inputs"][0]: picture[None]} for picture in pictures]})
    tool.quantize(ranges).export_model(str(path), overwrite=True)


WAYS: dict[str, Quantize] = {
    "nncf": nncf,
    "OVQuantizer": ov_quantizer,
    "ort-static": onnxruntime_static,
    "ORTQuantizer": ort_quantizer,
    "ai-edge-dynamic": ai_edge_dynamic,
    "ai-edge-static": ai_edge_static,
    "ai-edge-a16": ai_edge_sixteen,
}


def _planar(pictures: Pictures) -> Pictures:
    """``float32 [count, 1, 3, height, width]``."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))[:, None]


def main() -> None:
    way, source, pictures, path = sys.argv[1:]
    WAYS[way](Path(source), np.load(pictures).astype(np.float32), Path(path))


if __name__ == "__main__":
    main()
