"""The teacher: the generator as its author trained it, which every picture is compared with."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pocketlens.converters.extras import second_values
from pocketlens.converters.onnx_beside import OnnxBeside
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.rewrites.flush_tiny_weights import flush_tiny
from pocketlens.converters.signature import Signature
from pocketlens.errors import InputError, SizeError
from pocketlens.images import Floats, Picture, size_factor, to_uint8
from pocketlens.runtimes.stand_in import PLAYS

if TYPE_CHECKING:
    import onnx_ir as ir
    from torch import nn


class Teacher(Protocol):
    """Runs a generator on pictures."""

    def __call__(self, picture: Picture | Floats, style: Sequence[float] = (), *, follow: bool = False) -> Floats:
        """``uint8`` or ``float32 [H, W, 3]``, 0..255, in; ``float32 [H, W, 3]``, clamped to 0..255 and not rounded,
        out; of a pack, in a style; with its alpha ``[H, W, 4]``. States begin with zeros, or with what the frame before
        left (``follow``).
        """
        ...


_RETURN = (
    "return one picture of the size that came in, or a whole number of times larger or smaller; for some generators "
    "only multiples of 4 or 32 are kept"
)
_CHOOSE = (
    "say which channels are the picture: --output NAME.0:3 takes the first three, --alpha NAME.3 the fourth as alpha; "
    "the one output of a module is named 0"
)
_DTYPES = {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
"""Types of pictures but float32, as onnxruntime names them."""


def torch_teacher(module: "nn.Module", ranges: Ranges) -> Teacher:
    """A torch generator, run in eval mode on the device of its weights; nothing of the graph is used."""
    import torch

    from pocketlens.models.bound import Bound, missing_arguments, require_picture

    module = _without_tiny_weights(module.eval())
    where = next(module.parameters(), torch.zeros(())).device

    kept: list[torch.Tensor] = []

    def played(picture: Picture | Floats, style: Sequence[float], follow: bool) -> tuple[torch.Tensor, ...]:
        image = torch.from_numpy(_scaled(picture, ranges)).to(where)
        if not isinstance(module, Bound):
            blend = [torch.tensor([list(style)], dtype=torch.float32, device=where)] if style else []
            return (module(image, *blend),)
        states, second = list(module.example_extras(image)), list[torch.Tensor]()
        if module.signature.second:
            channels = states.pop(0).shape[1]
            second = [torch.from_numpy(second_values(to_uint8(picture), channels, ranges)).to(where)]
        states = kept if follow and kept else states
        for _ in range(PLAYS if states and not (follow and kept) else 1):
            given = module(image, *second, *states)
            outputs = given if isinstance(given, tuple) else (given,)
            states = list(outputs[len(outputs) - len(states) :])
        kept[:] = states
        return outputs[: len(outputs) - len(states)]

    def run(picture: Picture | Floats, style: Sequence[float] = (), *, follow: bool = False) -> Floats:
        height, width = picture.shape[:2]
        try:
            with torch.no_grad():
                stylized, *alpha = played(picture, style, follow)
        except InputError:
            raise
        # It is the user's own code, which may raise anything.
        except Exception as error:
            if isinstance(error, TypeError) and "missing" in str(error) and (names := missing_arguments(module)):
                raise InputError(
                    f"the generator takes {', '.join(names)} beside the picture",
                    do=f"say what it is: --second {names[0]}, --constant {names[0]}=VALUE or --state {names[0]}=OUTPUT",
                ) from error
            raise SizeError(
                f"the generator fails at {height} x {width}: {type(error).__name__}: {error}",
                do="run it alone on float32 [1, 3, height, width] and mend it",
            ) from error
        require_picture(stylized)
        pixels = _pixels(stylized.detach().float().cpu().numpy(), ranges, (height, width))
        return _with_alpha(pixels, [matte.detach().float().cpu().numpy() for matte in alpha])

    return run


def load_onnx(path: Path) -> Any:
    """A user's ``.onnx`` file in onnxruntime, without any of its graph optimizations.

    Where onnxruntime refuses the file as it is, it gets it as it was read: mended, without what nobody uses.

    Raises:
        InputError: The file is damaged, or onnxruntime cannot run it.
    """
    import onnx_ir as ir
    import onnxruntime as ort
    from onnx_ir.passes import common

    from pocketlens.converters.onnx_file import read_onnx

    model = read_onnx(path)  # onnxruntime believes what a file says; this does not
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # they keep what one value needed
    options.log_severity_level = 4
    ort.set_default_logger_severity(3)  # what is deprecated in an old file, the user has not written
    options.add_session_config_entry("session.set_denormal_as_zero", "1")  # a hundred times faster where there are any
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - onnxruntime's errors have no common base
        refused = _run_error(path, error)
    try:
        for tidy in (common.RemoveUnusedNodesPass(), common.RemoveUnusedOpsetsPass(), common.NameFixPass()):
            tidy(model)
        return ort.InferenceSession(ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise refused from error


def _without_tiny_weights(module: "nn.Module") -> "nn.Module":
    """A copy of a module with zeros for weights that change nothing but the time that it takes; itself without such."""
    import torch

    tensors = [*module.parameters(), *module.buffers()]
    if not any(t.dtype == torch.float32 and flush_tiny(t.detach().cpu().numpy())[1] for t in tensors):
        return module
    try:
        module = copy.deepcopy(module)
    except Exception:  # noqa: BLE001 - some modules cannot be copied; they are played as they are
        return module
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.dtype == torch.float32:
                tensor.copy_(torch.from_numpy(flush_tiny(tensor.detach().cpu().numpy())[0]))
    return module


def guided_teacher(teacher: Teacher, shrink: int, strokes: float) -> Teacher:
    """A teacher that sees the picture ``shrink`` times smaller; its result is applied to the large one, in NumPy."""
    from pocketlens.converters.guided import apply_guided, shrink_picture

    def run(picture: Picture | Floats, style: Sequence[float] = (), *, follow: bool = False) -> Floats:
        return apply_guided(picture, teacher(shrink_picture(picture, shrink), style, follow=follow), shrink, strokes)

    return run


def tflite_teacher(path: Path, ranges: Ranges, shell: "ir.Model", signature: Signature | None = None) -> Teacher:
    """A user's ``.tflite`` file, run by LiteRT as it is.

    Args:
        path: The file.
        ranges: The values that it takes and gives; of quantized ones what their integers stand for.
        shell: What binds it to one picture (:mod:`pocketlens.models.tflite_session`).
        signature: What is said of it.

    Raises:
        InputError: LiteRT cannot run the file, or it accepts no picture of a size.
        MissingError: LiteRT is not installed.
    """
    from pocketlens.models.tflite_session import TFLiteSession

    return _session_teacher(TFLiteSession(path, shell), path, ranges, signature)


def onnx_teacher(path: Path, ranges: Ranges, signature: Signature | None = None) -> Teacher:
    """A user's ``.onnx`` file, run by onnxruntime as it is, without any of its graph optimizations.

    Pictures go in and out in the file's own type, channels first or last. Of a file that is bound to a signature with
    states, a second picture or alpha these stand behind the picture (:func:`pocketlens.converters.bind.bind`).

    Raises:
        InputError: The file is not what :func:`~pocketlens.converters.onnx_file.read_onnx` reads, or onnxruntime cannot
            run it. Running raises it too, where the file accepts no picture of this size.
    """
    return _session_teacher(load_onnx(path), path, ranges, signature)


def _session_teacher(session: Any, path: Path, ranges: Ranges, signature: Signature | None) -> Teacher:
    graph_input = session.get_inputs()[0]
    if len(graph_input.shape) != 4:
        raise InputError(
            f"the input of {path} is {graph_input.shape}, expected [1, 3, height, width]",
            do="give a generator of pictures",
        )
    channels_last = graph_input.shape[3] == 3 and graph_input.shape[1] != 3
    dtype = _DTYPES.get(graph_input.type, np.float32)

    beside = OnnxBeside(session, signature or Signature(), ranges)

    def run(picture: Picture | Floats, style: Sequence[float] = (), *, follow: bool = False) -> Floats:
        image = _scaled(picture, ranges)
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1) if channels_last else image)
        try:
            output, alpha = beside.play(image.astype(dtype), to_uint8(picture), follow)
        except InputError:
            raise
        except Exception as error:
            raise _run_error(path, error) from error
        planar = output.ndim != 4 or output.shape[1] == 3 or (output.shape[1] == 1 and output.shape[3] > 1)
        pixels = _pixels(output if planar else output.transpose(0, 3, 1, 2), ranges, picture.shape[:2])
        return _with_alpha(pixels, alpha)

    return run


def _scaled(picture: Picture | Floats, ranges: Ranges) -> Floats:
    low, high = ranges.input
    planar = picture.astype(np.float32).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(planar * np.float32((high - low) / 255.0) + np.float32(low), np.float32)


def _pixels(values: Floats, ranges: Ranges, size: tuple[int, int]) -> Floats:
    height, width = size
    if values.ndim == 3 and values.shape[0] == 3:
        values = values[None]
    if values.ndim in (3, 4) and {*values.shape[:-2]} == {1}:  # grey: the same in every colour
        values = np.repeat(values.reshape(1, 1, *values.shape[-2:]), 3, axis=1)
    if values.ndim != 4 or values.shape[:2] != (1, 3) or size_factor(size, values.shape[2:]) is None:
        more = values.ndim == 4 and values.shape[0] == 1 and values.shape[1] > 3
        raise SizeError(
            f"the generator gives {list(values.shape)}, expected [1, 3, {height}, {width}]",
            do=_CHOOSE if more else _RETURN,
        )
    if np.isnan(values).any():
        raise InputError(
            "the generator gives NaN for a picture",
            do="check the ranges that it is given, and its weights: its training may have diverged",
        )
    low, high = ranges.output
    pixels = (values[0].transpose(1, 2, 0) - np.float32(low)) * np.float32(255.0 / (high - low))
    clamped: Floats = np.clip(pixels, 0, 255).astype(np.float32)
    return clamped


def _with_alpha(pixels: Floats, alpha: Sequence[Floats]) -> Floats:
    """The picture with a matte of 0..1 as its fourth channel, where there is one."""
    mattes = [np.clip(matte.reshape(*pixels.shape[:2], 1) * np.float32(255), 0, 255) for matte in alpha]
    return np.concatenate([pixels, *mattes], axis=2) if mattes else pixels


def _run_error(path: Path, error: Exception) -> InputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    runtime = "LiteRT" if path.suffix.lower() == ".tflite" else "onnxruntime"
    do = "check the file and the size"
    if "bound to different types" in str(error) or "Type Error" in str(error):
        do = "give the file as it was before another tool changed its number types; Pocketlens makes halves itself"
    return InputError(f"{runtime} cannot run {path}: {' '.join(lines[:3])}", do=do)
