"""From any ONNX model of a generator to the graph: one operator set, a fixed size, the range folded in.

A model's pictures may lie channels first (torch) or channels last (TensorFlow). That is seen from the shapes; the graph
is channels first, and :func:`~pocketlens.converters.rewrites.canonicalize.canonicalize` takes out the Transposes that
this makes needless.
"""

import logging
import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.bounds import output_bounds
from pocketlens.converters.constants import constant
from pocketlens.converters.extras import NO_EXTRAS, Extras
from pocketlens.converters.onnx_file import read_onnx
from pocketlens.converters.opset import convert_opset
from pocketlens.converters.prepare_extras import fold_extras, pin_extras
from pocketlens.converters.ranges import Ranges
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.canonicalize import canonicalize
from pocketlens.converters.rewrites.dequantize_weights import DequantizeWeights
from pocketlens.converters.rewrites.drop_pixel_quantizers import DropPixelQuantizers
from pocketlens.converters.rewrites.fold_constants import FoldConstants
from pocketlens.converters.rewrites.sink_expand import BROADCASTING
from pocketlens.converters.rewrites.widen_floats import WidenFloats
from pocketlens.errors import InputError, PocketlensError, SizeError

__all__ = ["prepare", "read_onnx"]

MAX_CONSTANTS = 1 << 28
"""Most numbers of all values together that are computed of constants and were not folded."""
MAX_LISTED = 1 << 22
"""The same of lists of whole numbers, which may be sizes: each takes ONNX's inference some 60 bytes."""
MAX_ELEMENTS = 1 << 31
"""Largest value in a graph, in elements."""

_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_PICTURES = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE, ir.DataType.UINT8)


def prepare(
    model: ir.Model, height: int, width: int, ranges: Ranges, styles: int = 0, extras: Extras = NO_EXTRAS
) -> ir.Model:
    """Turn a generator's ONNX model into the graph.

    Args:
        model: One picture in and one out, ``[N, 3, H, W]`` or ``[N, H, W, 3]``, of any float type, or uint8 if it takes
            0..255; changed in place. Free dimensions are pinned.
        height: In pixels.
        width: In pixels.
        ranges: The value ranges that the model takes and gives.
        styles: How many styles it takes the weights of, as a second input; 0 for a model of one.
        extras: What else goes in and comes out, behind the picture: a second picture, then states; alpha, then states.

    Raises:
        InputError: The model is no generator, or cannot take this size.
    """
    common.RemoveInitializersFromInputsPass()(model)
    _check_ends(model, 1 + bool(styles) + extras.inputs, 1 + extras.outputs)
    model = convert_opset(model)
    if styles:
        style = model.graph.inputs[1]
        style.name, style.shape, style.dtype = hub.STYLE, ir.Shape((1, styles)), ir.DataType.FLOAT
    _pin(model, height, width, ranges)
    pin_extras(model, extras)
    WidenFloats()(model)
    _with_size_in_errors(height, width, lambda: FoldConstants()(model))
    DequantizeWeights()(model)
    _refuse_nodes(model)
    _check_sizes(model)
    _check_constants(model)
    _planar_output(model)
    _check_range(model, ranges)
    fold_extras(model, extras, ranges)
    _fold_ranges(model, ranges)
    DropPixelQuantizers()(model)
    _with_size_in_errors(height, width, lambda: canonicalize(model))
    hub.check(model)
    return model


def _with_size_in_errors(height: int, width: int, work: Callable[[], object]) -> None:
    library = logging.getLogger("onnx_ir")
    level = library.level
    library.setLevel(logging.CRITICAL)  # it prints a traceback for each shape that it cannot infer
    try:
        work()
    except PocketlensError:
        raise
    except Exception as error:  # shape inference raises RuntimeErrors of several libraries
        cause = error.__cause__ or error
        first = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        raise SizeError(f"the generator does not fit {height} x {width}: {first}", do="choose another size") from error
    finally:
        library.setLevel(level)


def _check_ends(model: ir.Model, inputs: int, outputs: int) -> None:
    graph = model.graph
    for kind, values, count in (("inputs", graph.inputs, inputs), ("outputs", graph.outputs, outputs)):
        if len(values) != count:
            names = ", ".join(f"{v.name!r}{_unused(v) if kind == 'inputs' else ''}" for v in values)
            raise InputError(f"the model has {len(values)} {kind} ({names}), expected one picture", do=_ALONE[kind])


_ALONE = {
    "inputs": "give the others fixed values when you export it, so that one picture goes in",
    "outputs": "keep one: onnx.utils.extract_model(FILE, 'alone.onnx', [INPUT], [OUTPUT])",
}


def _unused(value: ir.Value) -> str:
    return "" if value.uses() or value.is_graph_output() else " which nothing reads"


def _pin(model: ir.Model, height: int, width: int, ranges: Ranges) -> None:
    """Give the input its size, channels first; what was inferred with free dimensions is inferred again."""
    image = model.graph.inputs[0]
    if image.dtype not in _PICTURES:
        raise InputError(
            f"the input {image.name!r} is {image.dtype}, expected float32", do="export the model in float32"
        )
    if image.dtype == ir.DataType.UINT8 and ranges.input != (0.0, 255.0):
        raise InputError(
            f"the input {image.name!r} is uint8, but the model is said to take {ranges.input}",
            do="leave the input range at 0..255",
        )
    if image.shape is None or len(image.shape) != 4:
        raise InputError(
            f"the input {image.name!r} has shape {image.shape}, expected [1, 3, height, width]",
            do="export the generator alone",
        )
    # Free dimensions are names, nothing, or by some exporters -1 or 0.
    fixed_sizes = [d if isinstance(d, int) and d > 0 else None for d in image.shape]
    last = channels_last(image, fixed_sizes)
    expected = {"batch": 1, "channels": 3, "height": height, "width": width}
    axes = ("batch", "height", "width", "channels") if last else ("batch", "channels", "height", "width")
    sizes = dict(zip(axes, fixed_sizes, strict=True))
    for axis, size in sizes.items():
        if size is not None and size != expected[axis]:
            raise InputError(
                f"the input {image.name!r} has {axis} {size}, expected {expected[axis]}", do=_remedy(axis, sizes)
            )
    for graph in (model.graph, *model.graph.subgraphs()):
        for node in graph:
            for value in node.outputs:
                value.shape = None
    _take_floats(image)
    image.shape = ir.Shape((1, 3, height, width))
    if last:
        turned = ir.node("Transpose", [image], {"perm": list(_TO_LAST)}, outputs=[ir.Value(name=None)])
        turned.outputs[0].shape, turned.outputs[0].dtype = ir.Shape((1, height, width, 3)), image.dtype
        readers = tuple((node, index) for node, index in image.uses() if node is not turned)
        model.graph.insert_before(model.graph[0], turned)
        for node, index in readers:
            node.replace_input_with(index, turned.outputs[0])


def _remedy(axis: str, sizes: dict[str, int | None]) -> str:
    """What to do about a picture of another form."""
    if axis in ("height", "width"):
        pinned = sizes["height"] is not None and sizes["width"] is not None
        with_size = f" with {sizes['height']}x{sizes['width']}, the size that it was exported with" if pinned else ""
        return f"ask for it{with_size}" if pinned else "ask for the size that the file was exported with"
    if axis == "batch":
        return "export it with a batch of 1, or with a free one"
    if sizes["channels"] == 1:
        return "export it behind a layer that makes RGB grey, and repeat its output three times: RGB goes in and out"
    if sizes["channels"] == 4:
        return "export it behind a layer that adds the fourth channel to RGB, and drop it behind: RGB goes in and out"
    return "give a generator of RGB pictures"


def channels_last(image: ir.Value, fixed_sizes: list[int | None]) -> bool:
    """Whether the channels are the last axis: it has three, or its length is free and a Transpose follows."""
    if fixed_sizes[1] is not None or fixed_sizes[3] is not None:
        return (fixed_sizes[3] == 3 and fixed_sizes[1] != 3) or (
            fixed_sizes[3] in (1, 4) and fixed_sizes[1] not in (1, 3, 4)
        )
    readers = [node for node, _ in image.uses()]
    turned = [r.op_type == "Transpose" and hub.ints(r, "perm", ()) == _TO_FIRST for r in readers]
    return bool(turned) and all(turned)


def _take_floats(image: ir.Value) -> None:
    """Make a uint8 input float32: whole numbers are the same in both, and the Cast behind it does nothing."""
    if image.dtype == ir.DataType.UINT8:
        image.dtype = ir.DataType.FLOAT


def _planar_output(model: ir.Model) -> None:
    """Make the output channels first and float32."""
    graph = model.graph
    output = graph.outputs[0]
    if output.dtype == ir.DataType.UINT8:
        _give_floats(model)
        output = graph.outputs[0]
    shape = edit.shape_of(output)
    if shape is not None and len(shape) == 3 and shape[0] == 3:
        _add_batch(model, shape)
        return
    if shape is None or not shape or shape[0] != 1:
        return
    if len(shape) == 3 or (len(shape) == 4 and (shape[1] == 1 or shape[3] == 1)):
        _repeat_grey(model, *(shape[1:3] if len(shape) == 3 or shape[1] != 1 else shape[2:]))
    elif len(shape) == 4 and shape[3] == 3 and shape[1] != 3:
        turned = ir.node("Transpose", [output], {"perm": list(_TO_FIRST)}, outputs=[ir.Value(name="planar")])
        turned.outputs[0].shape, turned.outputs[0].type = ir.Shape((1, 3, *shape[1:3])), output.type
        graph.append(turned)
        graph.outputs[0] = turned.outputs[0]


def _add_batch(model: ir.Model, shape: tuple[int, ...]) -> None:
    """An output without the axis of the batch gets it."""
    output = model.graph.outputs[0]
    size = hub.add_constant(model, "batch_shape", np.array([1, *shape], np.int64))
    whole = ir.node("Reshape", [output, size], outputs=[ir.Value(name="batch")])
    whole.outputs[0].shape, whole.outputs[0].type = ir.Shape((1, *shape)), output.type
    model.graph.append(whole)
    model.graph.outputs[0] = whole.outputs[0]


def _repeat_grey(model: ir.Model, height: int, width: int) -> None:
    """A grey output, a mask or matte, as a picture whose three colours are the same."""
    output = model.graph.outputs[0]
    size = hub.add_constant(model, "grey_shape", np.array([1, 1, height, width], np.int64))
    planar = ir.node("Reshape", [output, size], outputs=[ir.Value(name="grey")])
    wide = ir.node("Concat", [planar.outputs[0]] * 3, {"axis": 1}, outputs=[ir.Value(name="grey_picture")])
    for node, channels in ((planar, 1), (wide, 3)):
        node.outputs[0].shape, node.outputs[0].type = ir.Shape((1, channels, height, width)), output.type
        model.graph.append(node)
    model.graph.outputs[0] = wide.outputs[0]


_MOVES = ("Concat", "DepthToSpace", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that move values and compute none."""


def _give_floats(model: ir.Model) -> None:
    """Replace the last Casts to uint8 by Floor: both cut off the fraction, and values below 0 are clamped anyway. What
    only moves values behind them moves floats then.
    """
    output = model.graph.outputs[0]
    waiting = [output]
    while waiting:
        value = waiting.pop()
        node = edit.producer(value, "Cast", *_MOVES)
        if node is None:
            raise InputError(
                f"the output {output.name!r} is uint8 and not made by a Cast",
                do="export the generator with float output",
            )
        if node.op_type != "Cast":
            value.dtype = ir.DataType.FLOAT
            waiting += [v for v in node.inputs if v is not None and v.dtype == ir.DataType.UINT8]
            continue
        floor = ir.node("Floor", [node.inputs[0]], outputs=[ir.Value(name=f"{value.name}_whole")])
        floor.outputs[0].shape, floor.outputs[0].dtype = value.shape, ir.DataType.FLOAT
        model.graph.insert_before(node, floor)
        value.replace_all_uses_with(floor.outputs[0], replace_graph_outputs=True)
        edit.prune(node)


def _refuse_nodes(model: ir.Model) -> None:
    """Branches on constants are folded by now; what is left depends on the picture. What is not ONNX has no known
    shape.
    """
    for node in model.graph:
        if node.domain:
            raise InputError(
                f"{node.op_type} {node.name!r} of {node.domain!r} is no standard ONNX operator",
                do="give the file as it was before onnxruntime optimized or quantized it: now it is for one runtime",
            )
        if node.op_type in _INTEGERS:
            raise InputError(
                f"{node.op_type} {node.name!r} computes in integers: the file was quantized already",
                do="give the float file that it was made from; Pocketlens quantizes itself: -p int8",
            )
        if node.op_type in ("If", "Loop", "Scan"):
            raise InputError(
                f"{node.op_type} {node.name!r} decides while the model runs",
                do="export the generator without control flow",
            )
        if node.op_type in _RANDOM or _drops_at_random(node):
            raise InputError(
                f"{node.op_type} {node.name!r} gives other values each time",
                do="export the generator with its noise fixed or switched off",
            )


def _drops_at_random(node: ir.Node) -> bool:
    training = constant(node.inputs[2]) if node.op_type == "Dropout" and len(node.inputs) > 2 else None
    return training is not None and bool(training.any())


_INTEGERS = ("ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul")
"""Operators that quantize_dynamic and the older static quantization of onnxruntime write."""
_RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")


def _check_sizes(model: ir.Model) -> None:
    for node in model.graph:
        for value in node.outputs:
            shape = edit.shape_of(value)
            if shape is not None and (math.prod(shape) > MAX_ELEMENTS or min(shape, default=1) < 1):
                raise InputError(
                    f"{node.op_type} {node.name!r} gives {value.name!r} of shape {list(shape)}",
                    do="choose another size, or export the generator alone",
                )


def _check_constants(model: ir.Model) -> None:
    """Refuse what is computed of constants alone and was too large to be folded: runtimes fold it, and ONNX's inference
    writes down every number of a list.
    """
    known = set(model.graph.initializers.values())
    left, listed = MAX_CONSTANTS, MAX_LISTED
    for node in model.graph:
        if not all(value is None or value in known for value in node.inputs):
            continue
        known.update(node.outputs)
        for value in node.outputs:
            if node.op_type == "Expand" and all(user.op_type in BROADCASTING for user, _ in value.uses()):
                continue  # they spread it by themselves, and it goes (SinkExpand)
            shape = edit.shape_of(value) or ()
            left -= math.prod(shape)
            if len(shape) < 2 and value.dtype in (ir.DataType.INT64, ir.DataType.INT32):
                listed -= math.prod(shape)
            if left < 0 or listed < 0:
                raise InputError(
                    f"{node.op_type} {node.name!r} computes {math.prod(shape):,} numbers of constants alone",
                    do="export the generator with its constants computed, for instance by onnxsim",
                )


_MIN_STEPS = 8
"""Steps of 0..255 that a picture needs to have at least, for its range to be believed."""


def _check_range(model: ir.Model, ranges: Ranges) -> None:
    """Refuse a range whose black and white the last operators can never give: Tanh said to give 0..255 is a black
    picture.
    """
    possible, (low, high) = output_bounds(model.graph.outputs[0]), ranges.output
    if possible is None or (possible[1] - possible[0]) / (high - low) * 255 >= _MIN_STEPS:
        return
    raise InputError(
        f"the generator gives values from {possible[0]:g} to {possible[1]:g}, but {low:g} is said to be black and "
        f"{high:g} white",
        do="say its ranges: input_range and output_range in the recipe, "
        "--input-range LOW HIGH and --output-range LOW HIGH",
    )


def _fold_ranges(model: ir.Model, ranges: Ranges) -> None:
    """Scale pixels to the input range, ``input = image * scale + shift``, and the output to clamped pixels."""
    graph = model.graph
    image, stylized = graph.inputs[0], graph.outputs[0]
    input_low, input_high = ranges.input
    output_low, output_high = ranges.output
    image.name, stylized.name = hub.INPUT, "generator_output"
    scaled = edit.affine(model, image, (input_high - input_low) / 255.0, input_low, "range_in")
    if scaled is not image:
        for node, index in tuple(image.uses()):
            if not (node.name or "").startswith("range_in"):
                node.replace_input_with(index, scaled)
    scale = 255.0 / (output_high - output_low)
    pixels = edit.affine(model, stylized, scale, -output_low * scale, "range_out")
    low = hub.add_constant(model, "pixel_low", np.array(0.0, np.float32))
    high = hub.add_constant(model, "pixel_high", np.array(255.0, np.float32))
    clip = ir.node("Clip", [pixels, low, high], name="clamp", outputs=[ir.Value(name=hub.OUTPUT)])
    graph.append(clip)
    clip.outputs[0].dtype = ir.DataType.FLOAT
    graph.outputs[0] = clip.outputs[0]
    graph.sort()
