"""A model of any signature becomes one of a picture in and a picture out, in its own operator set.

What is added stands before and behind the model's own nodes: they are not touched, so that what the bound model makes
of a picture is what the model itself makes of it.
"""

from collections.abc import Collection

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from pocketlens.converters.signature import Signature, part_of
from pocketlens.errors import InputError

COLOURS = 3
_REPEATED = "bound_repeated"
"""What the name of the node begins with that repeats a picture for every place of a fixed batch."""
_FLOATS = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.DOUBLE, ir.DataType.BFLOAT16)


def bind(model: ir.Model, signature: Signature) -> bool:
    """Bind a model to its picture, in place.

    Args:
        model: As its file says it.
        signature: What is said of its inputs and outputs. What is not said must be clear: one input is left, and one
            output is there.

    Returns:
        Whether anything had to be added.

    Raises:
        InputError: There is no such input, output or channel, several are left, or a constant does not fit.
    """
    initializers = set(model.graph.initializers)
    for value in [v for v in model.graph.inputs if v.name in initializers]:
        model.graph.inputs.remove(value)  # before IR version 4 weights were inputs as well
    channels = _fix_inputs(model, signature)
    binder = _Binder(model)
    changed = bool(signature.constants) and channels is None
    kept = _kept_outputs(model, signature)
    output = _choose(model, signature.output, "output", kept)
    if len(model.graph.outputs) > 1:
        model.graph.outputs[:] = [output[0], *kept]
        changed = True
    changed |= binder.picture_in(signature, channels)
    changed |= binder.picture_out(signature, output[1])
    if binder.batch > 1 and (kept or signature.second):
        raise InputError(
            f"the model takes a batch of {binder.batch}, and a state or a second picture beside it",
            do="export it with a batch of 1",
        )
    if signature.second and (signature.normalization() is not None or signature.input_order == "BGR"):
        second = model.graph.inputs[1]
        if second.shape is None or 1 not in (second.shape[1], second.shape[-1]):
            raise InputError(
                f"{second.name!r} is a second picture in colours, --mean, --deviation and --input-order are for one",
                do="export the model behind a layer that normalizes both",
            )
    model.ir_version = max(model.ir_version, 4)  # until then every constant was an input as well
    return changed


def _kept_outputs(model: ir.Model, signature: Signature) -> list[ir.Value]:
    """The outputs that stay beside the picture: the alpha, then the states, in the order in which they go in."""
    known = {str(value.name): value for value in model.graph.outputs}
    kept = []
    for name in (*filter(None, [signature.alpha]), *(given for _, given in signature.states)):
        if name not in known:
            raise InputError(f"the model has no output {name!r}", do=f"choose from {', '.join(known)}")
        kept.append(known[name])
    return kept


def _choose(model: ir.Model, name: str, kind: str, others: Collection[ir.Value] = ()) -> tuple[ir.Value, slice | None]:
    values = [v for v in (model.graph.inputs if kind == "input" else model.graph.outputs) if v not in others]
    names = [str(value.name) for value in values]
    if not name:
        if len(values) == 1:
            return values[0], None
        listed = "; ".join(f"{value.name!r} {_shape(value)}" for value in values)
        remedy = f"say which is the picture: --{kind} {names[0] if names else 'NAME'}"
        if kind == "input":
            remedy += f", and fix the others: {_ways(names[-1])}"
        raise InputError(f"the model has {len(values)} {kind}s: {listed}", do=remedy)
    part = part_of(name, names)
    if part is None:
        raise InputError(f"the model has no {kind} {name!r}", do=f"choose from {', '.join(names)}")
    return values[names.index(part[0])], part[1]


def _shape(value: ir.Value) -> str:
    return "of unknown shape" if value.shape is None else str([d if isinstance(d, int) else "?" for d in value.shape])


def _fix_inputs(model: ir.Model, signature: Signature) -> dict[int, NDArray[np.float32]] | None:
    """Turn inputs that are fixed into constants; channels of the picture that are fixed, by place."""
    channels: dict[int, NDArray[np.float32]] = {}
    image: ir.Value | None = None
    for name, text in signature.constants:
        part = part_of(name, [str(value.name) for value in model.graph.inputs])
        if part is None:
            names = ", ".join(str(value.name) for value in model.graph.inputs)
            raise InputError(f"the model has no input {name!r} to fix", do=f"choose from {names}")
        value = next(v for v in model.graph.inputs if v.name == part[0])
        if part[1] is not None:
            channels[part[1].start] = signature.value(text)
            image = value
            continue
        _fix(model, value, signature.value(text))
    kept = _kept_inputs(model, signature)
    picture, _ = _choose(model, signature.input, "input", kept)
    others = [str(v.name) for v in model.graph.inputs if v is not picture and v not in kept]
    if others:
        raise InputError(
            f"besides the picture {picture.name!r} the model takes {', '.join(map(repr, others))}",
            do=f"say what they are: {_ways(others[0])}",
        )
    model.graph.inputs[:] = [picture, *kept]
    if image is not None and image is not picture:
        raise InputError(f"channels of {image.name!r} are fixed, which is not the picture", do="fix the whole input")
    return channels or None


def _kept_inputs(model: ir.Model, signature: Signature) -> list[ir.Value]:
    """The inputs that stay beside the picture: the second picture, then the states."""
    known = {str(value.name): value for value in model.graph.inputs}
    kept = []
    for name in (*filter(None, [signature.second]), *(taken for taken, _ in signature.states)):
        if name not in known:
            raise InputError(f"the model has no input {name!r}", do=f"choose from {', '.join(known)}")
        kept.append(known[name])
    return kept


def _ways(name: str) -> str:
    return (
        f"--constant {name}=NUMBER or --constant {name}=FILE.npy; a state that an output gives for the next frame: "
        f"--state {name}=OUTPUT; a mask or another picture: --second {name}"
    )


def _fix(model: ir.Model, value: ir.Value, array: NDArray[np.float32]) -> None:
    """Let a constant take the place of an input, of its type and shape."""
    dtype = value.dtype or ir.DataType.FLOAT
    stored = array.astype(dtype.numpy())
    shape = list(value.shape) if value.shape is not None else list(stored.shape)
    lengths = [d if isinstance(d, int) and d > 0 else None for d in shape]
    if stored.size > 1 or all(length is not None for length in lengths):
        wanted = tuple(1 if length is None else length for length in lengths)
        if stored.size == 1:
            stored = np.broadcast_to(stored.reshape(()), wanted)
        elif len(stored.shape) != len(lengths) or any(
            n not in (None, m) for n, m in zip(lengths, stored.shape, strict=True)
        ):
            raise InputError(
                f"the input {value.name!r} is {lengths}, the array that it is fixed to {list(stored.shape)}",
                do="give an array of its shape",
            )
        constant = _initializer(model, f"{value.name}_fixed", np.ascontiguousarray(stored))
    else:
        constant = _spread(model, value, stored.reshape(()), shape)
    model.graph.inputs.remove(value)
    value.replace_all_uses_with(constant, replace_graph_outputs=True)


def _spread(model: ir.Model, value: ir.Value, number: NDArray[np.generic], shape: list[object]) -> ir.Value:
    """A number of a shape that is free as the picture's is: a mask of its size."""
    image = next(v for v in model.graph.inputs if v is not value)
    size = _node(model, "Shape", [image], front=True)
    parts = []
    for axis, length in enumerate(shape):
        if isinstance(length, int) and length > 0:
            parts.append(_initializer(model, f"{value.name}_length", np.array([length], np.int64)))
            continue
        names = [str(d) for d in image.shape] if image.shape is not None else []
        place = names.index(str(length)) if str(length) in names else axis
        index = _initializer(model, f"{value.name}_axis", np.array([place], np.int64))
        parts.append(_node(model, "Gather", [size, index], front=True, axis=0))
    whole = _node(model, "Concat", parts, front=True, axis=0)
    return _node(model, "Expand", [_initializer(model, f"{value.name}_number", number), whole], front=True)


def _initializer(model: ir.Model, name: str, array: NDArray[np.generic]) -> ir.Value:
    from pocketlens.converters import graph as hub

    return hub.add_constant(model, name, array)


def _node(
    model: ir.Model, operator: str, inputs: list[ir.Value], front: bool = False, axis: int | None = None
) -> ir.Value:
    taken = {value.name for node in model.graph for value in node.outputs}
    name = next(n for i in range(len(taken) + 1) if (n := f"bound_{operator.lower()}_{i}") not in taken)
    attributes = {} if axis is None else {"axis": axis}
    node = ir.node(operator, inputs, attributes, name=name, outputs=[ir.Value(name=name)])
    node.outputs[0].type = inputs[0].type if operator != "Shape" else ir.TensorType(ir.DataType.INT64)
    if front and len(model.graph):
        known = [n for n in model.graph if (n.name or "").startswith("bound_")]
        if known:
            model.graph.insert_after(known[-1], node)
        else:
            model.graph.insert_before(model.graph[0], node)
    else:
        model.graph.append(node)
    return node.outputs[0]


class _Binder:
    def __init__(self, model: ir.Model) -> None:
        self.model, self.batch = model, 1

    def picture_in(self, signature: Signature, channels: dict[int, NDArray[np.float32]] | None) -> bool:
        """Let a picture of three colours take the place of the input, and give it what the model was trained with."""
        image = self.model.graph.inputs[0]
        shape = list(image.shape) if image.shape is not None else []
        if len(shape) != 4:
            return False  # prepare says what is wrong with it
        axis = self._channel_axis(image)
        lengths = [d if isinstance(d, int) and d > 0 else None for d in shape]
        self.batch, count = lengths[0] or 1, lengths[axis] or COLOURS
        normal = signature.normalization()
        if (self.batch, count) == (1, COLOURS) and normal is None and not channels and signature.input_order == "RGB":
            return False
        if count != COLOURS + len(channels or {}) or any(place >= count for place in channels or {}):
            what, remedy = self._about_channels(image, count, bool(channels))
            raise InputError(what, do=remedy)
        kind = image.dtype if image.dtype in _FLOATS else ir.DataType.FLOAT
        picture = ir.Value(name=f"{image.name}_picture", type=ir.TensorType(kind))
        sizes = [*shape]
        sizes[0], sizes[axis] = 1, COLOURS
        picture.shape = ir.Shape(sizes)
        self.model.graph.inputs[0] = picture
        value = picture
        if normal is not None:
            for operator, term in zip(("Mul", "Add"), normal, strict=True):
                value = self._front(operator, [value, self._per_channel(term, axis, kind)])
        if signature.input_order == "BGR":
            value = self._front("Gather", [value, self._indices([2, 1, 0])], axis=axis)
        if channels:
            value = self._with_channels(value, channels, axis, kind, image)
        if self.batch > 1:
            value = self._front("Gather", [value, self._indices([0] * self.batch)], axis=0)
            node = value.producer()
            assert node is not None
            node.name = f"{_REPEATED}_{self.batch}"
        image.replace_all_uses_with(value)
        return True

    def picture_out(self, signature: Signature, channels: slice | None) -> bool:
        """Let one picture of three colours be what comes out."""
        output = self.model.graph.outputs[0]
        lengths = self._lengths(output)
        value, changed = output, False
        if lengths is None or len(lengths) != 4:
            if channels is not None:
                raise InputError(f"the output {output.name!r} has no channels to choose from", do="name it alone")
            return False
        last = lengths[1] not in (1, 2, COLOURS, 4) and lengths[3] in (1, 2, COLOURS, 4)
        axis = 3 if last else 1
        if max(lengths[0] or 1, self.batch) > 1:
            value, changed = self._behind("Gather", [value, self._indices([0])], axis=0), True
        count = lengths[axis]
        if channels is not None:
            places = list(range(*channels.indices(count or channels.stop)))
            if not places or (count is not None and channels.stop > count):
                raise InputError(f"the output {output.name!r} has {count} channels", do="choose one that it has")
            value, count, changed = self._behind("Gather", [value, self._indices(places)], axis=axis), len(places), True
        if count not in (None, 1, COLOURS):
            raise InputError(
                f"the output {output.name!r} has {count} channels, a picture 3 or 1",
                do=f"say which: --output {output.name}.0 for one, --output {output.name}.0:3 for three",
            )
        if signature.output_order == "BGR" and count != 1:
            value, changed = self._behind("Gather", [value, self._indices([2, 1, 0])], axis=axis), True
        if value is not output:
            sizes = [1, *lengths[1:]]
            sizes[axis] = count
            value.shape = ir.Shape(sizes)
            self.model.graph.outputs[0] = value
        return changed

    def _channel_axis(self, image: ir.Value) -> int:
        from pocketlens.converters.prepare import channels_last

        assert image.shape is not None
        return 3 if channels_last(image, [d if isinstance(d, int) and d > 0 else None for d in image.shape]) else 1

    @staticmethod
    def _about_channels(image: ir.Value, count: int, has_fixed: bool) -> tuple[str, str]:
        if has_fixed:
            return f"the input {image.name!r} has {count} channels, three of them colours", "fix all the others"
        if count > COLOURS:
            places = ", ".join(f"--constant {image.name}.{place}=NUMBER" for place in range(COLOURS, count))
            return f"the input {image.name!r} has {count} channels, a picture 3", f"fix the others: {places}"
        return (
            f"the input {image.name!r} has {count} channel{'s' * (count > 1)}, a picture 3",
            "export it behind a layer that makes RGB grey",
        )

    def _lengths(self, output: ir.Value) -> list[int | None] | None:
        if output.shape is None:
            from onnx_ir.passes import common

            common.ShapeInferencePass()(self.model)
        if output.shape is None:
            return None
        return [d if isinstance(d, int) and d > 0 else None for d in output.shape]

    def _front(self, operator: str, inputs: list[ir.Value], axis: int | None = None) -> ir.Value:
        return _node(self.model, operator, inputs, front=True, axis=axis)

    def _behind(self, operator: str, inputs: list[ir.Value], axis: int | None = None) -> ir.Value:
        return _node(self.model, operator, inputs, axis=axis)

    def _indices(self, places: list[int]) -> ir.Value:
        return _initializer(self.model, "bound_places", np.array(places, np.int64))

    def _per_channel(self, term: NDArray[np.float32], axis: int, kind: ir.DataType) -> ir.Value:
        shape = [1, 1, 1, 1]
        shape[axis] = COLOURS
        return _initializer(self.model, "bound_term", term.reshape(shape).astype(kind.numpy()))

    def _with_channels(
        self, value: ir.Value, channels: dict[int, NDArray[np.float32]], axis: int, kind: ir.DataType, image: ir.Value
    ) -> ir.Value:
        """The colours in their order, and the fixed channels in their places between or behind them."""
        colours = iter(range(COLOURS))
        parts = []
        for place in range(COLOURS + len(channels)):
            if place not in channels:
                parts.append(self._front("Gather", [value, self._indices([next(colours)])], axis=axis))
                continue
            one = self._front("Gather", [value, self._indices([0])], axis=axis)
            array = channels[place]
            if array.size > 1:
                array = array.reshape((1, 1, *array.shape[-2:]) if axis == 1 else (1, *array.shape[-2:], 1))
            zero = self._front("Mul", [one, _initializer(self.model, "bound_zero", np.array(0, kind.numpy()))])
            parts.append(
                self._front("Add", [zero, _initializer(self.model, "bound_fixed", array.astype(kind.numpy()))])
            )
        return self._front("Concat", parts, axis=axis)


def one_of_batch(model: ir.Model) -> ir.Model | None:
    """A model that was bound to one picture of a fixed batch, with a batch of one instead; None if there was none.

    Shapes that name the batch are changed with it, as far as they are constants; whoever uses the model compares it.
    """
    image = model.graph.inputs[0]
    readers = [node for node, _ in image.uses()]
    repeat = next((node for node in model.graph if (node.name or "").startswith(_REPEATED)), None)
    if repeat is None or not readers:
        return None
    places = repeat.inputs[1]
    batch = len(places.const_value.numpy()) if places is not None and places.const_value is not None else 0
    picture = repeat.inputs[0]
    assert picture is not None
    repeat.outputs[0].replace_all_uses_with(picture, replace_graph_outputs=True)
    model.graph.remove(repeat, safe=True)
    for node in model.graph:
        for value in node.outputs:
            value.shape = None
        if node.op_type in ("Reshape", "Expand") and len(node.inputs) > 1:
            _shrink_batch(model, node, batch)
    return model


def _shrink_batch(model: ir.Model, node: ir.Node, batch: int) -> None:
    shape = node.inputs[1]
    maker = shape.producer() if shape is not None else None
    tensor = shape.const_value if shape is not None else None
    if maker is not None and maker.op_type == "Constant" and "value" in maker.attributes:
        tensor = maker.attributes["value"].as_tensor()
    array = tensor.numpy() if tensor is not None else np.zeros(0)
    if array.ndim == 1 and array.size and array[0] == batch:
        single = np.array([1, *array[1:]], np.int64)
        node.replace_input_with(1, _initializer(model, "bound_shape", single))
