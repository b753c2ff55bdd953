"""Convert an ONNX file with onnx2tf, in an environment of its own.

python -m benchmarks.onnx2tf IN.onnx FOLDER OUT.tflite
"""

import importlib
import shutil
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    source, folder, out = sys.argv[1:]
    peer: Any = importlib.import_module("onnx2tf")
    peer.convert(
        input_onnx_file_path=source, output_folder_path=folder, non_verbose=True, tflite_backend="flatbuffer_direct"
    )
    (converted,) = Path(folder).glob("*_float32.tflite")
    shutil.copy(converted, out)


if __name__ == "__main__":
    main()
