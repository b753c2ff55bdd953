"""Converts one generator for a runtime of somebody else, in the environment where its converter lives.

    python -m benchmarks.peer_conversion mnn int8 wave.npz 256 out.mnn calibration.npy

``calibration.npy`` holds pictures, ``uint8 [N, H, W, 3]``. MNN and ncnn take the ONNX file that torch writes,
ExecuTorch the module. Each is quantized by its own tool with its own defaults.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def mnn(precision: str, onnx: Path, module: Any, pictures: np.ndarray, out: Path) -> None:
    floats = out if precision == "fp32" else out.with_suffix(".float.mnn")
    tool = Path(sys.executable).parent
    command = [tool / "mnnconvert", "-f", "ONNX", "--modelFile", onnx, "--MNNModel", floats, "--bizCode", "filter"]
    if precision == "w8":  # weights of 8 bits, products of bytes with ranges found while it plays
        command += ["--weightQuantBits", "8"]
    run(command)
    if precision != "int8":
        floats.replace(out)
        return
    from PIL import Image

    height, width = pictures.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(Path(folder) / f"{index}.png")
        settings = out.with_suffix(".json")
        settings.write_text(json.dumps({
            "format": "RGB", "mean": [0.0, 0.0, 0.0], "normal": [1.0, 1.0, 1.0], "width": width, "height": height,
            "path": f"{folder}/", "used_image_num": len(pictures), "feature_quantize_method": "KL",
            "weight_quantize_method": "MAX_ABS", "model": str(floats),
        }))  # fmt: skip
        run([tool / "mnnquant", floats, out, settings])


def ncnn(precision: str, onnx: Path, module: Any, pictures: np.ndarray, out: Path) -> None:
    if precision != "fp32":
        raise SystemExit("the ncnn package for Python brings no quantizer")
    height, width = pictures.shape[1:3]
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.onnx"
        model.write_bytes(onnx.read_bytes())
        run([Path(sys.executable).parent / "pnnx", model, f"inputshape=[1,3,{height},{width}]", "fp16=0"])
        for suffix in (".param", ".bin"):
            model.with_name(f"model.ncnn{suffix}").replace(out.with_suffix(suffix))


def executorch(precision: str, onnx: Path, module: Any, pictures: np.ndarray, out: Path) -> None:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    # Contiguous: the program keeps the order of axes in memory of the tensor that it is exported with.
    planar = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32)
    inputs = list(torch.from_numpy(planar)[:, None])
    exported = torch.export.export(module, (inputs[0],))
    if precision == "int8":
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

        quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        prepared = prepare_pt2e(exported.module(), quantizer)
        for tensor in inputs:
            prepared(tensor)
        exported = torch.export.export(convert_pt2e(prepared), (inputs[0],))
    program = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    out.write_bytes(program.to_executorch().buffer)


CONVERTERS: dict[str, Callable[[str, Path, Any, np.ndarray, Path], None]] = {
    converter.__name__: converter for converter in (mnn, ncnn, executorch)
}


def run(command: list[Any]) -> None:
    """Run a tool; what it says is shown where it fails.

    MNN's tools call pip to install a client for their maker's log service; pip is told to refuse that.
    """
    environment = {**os.environ, "PIP_REQUIRE_VIRTUALENV": "1", "PIP_NO_INDEX": "1"}
    process = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=environment)
    if process.returncode:
        sys.exit(f"{Path(command[0]).name} failed:\n{(process.stdout + process.stderr)[-2000:]}")


def main() -> None:
    engine, precision, onnx, out, pictures, *name = sys.argv[1:]
    module = None
    if engine == "executorch":
        from benchmarks.generators import Pixels, generator

        module = Pixels(*generator(name[0])).eval()
    CONVERTERS[engine](precision, Path(onnx), module, np.load(pictures), Path(out))


if __name__ == "__main__":
    main()
