"""tiny 1.0 without Pocketlens: python with_onnxruntime.py IN.jpg OUT.png (default: a golden picture).

Needs: pip install onnxruntime pillow
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

bundle = Path(__file__).resolve().parents[2]
source = sys.argv[1] if len(sys.argv) > 1 else bundle / "golden/in_00_24x32.png"
target = sys.argv[2] if len(sys.argv) > 2 else "stylized.png"

session = onnxruntime.InferenceSession(bundle / "artifacts/onnx-fp32-24x32.onnx", providers=["CPUExecutionProvider"])
picture = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
small = picture.resize((32, 24), Image.Resampling.LANCZOS)
planes = np.asarray(small, np.float32).transpose(2, 0, 1)[None]  # [1, 3, 24, 32], RGB, 0..255
(stylized,) = session.run(["stylized"], {"image": planes})
pixels = np.rint(stylized[0].transpose(1, 2, 0).clip(0, 255)).astype(np.uint8)
Image.fromarray(pixels).resize(picture.size, Image.Resampling.LANCZOS).save(target)
