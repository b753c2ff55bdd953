"""Converting a model to the graph's operator set, from older and newer ones."""

import onnx_ir as ir
from onnx_ir.passes import common

from pocketlens.converters import graph as hub
from pocketlens.converters.experimental_ops import decompose_experimental_op
from pocketlens.errors import InputError
from pocketlens.runtimes.quiet import STDERR, STDOUT, quiet

_INITIALIZERS_ARE_NO_INPUTS = 4
"""The IR version since which initializers need not be graph inputs."""


_TRAINING_MODE = 14
"""The opset in which batch norms got an attribute for training mode."""
_AXES_ARE_INPUTS = 18
"""The opset in which ReduceMean took its axes as an input."""
_FIRST_WITHOUT_EXPERIMENTS = 10
"""The opset in which Slice took its places as inputs; files of operators that were experiments are all older."""


def standard_operators() -> list[str]:
    """The operators of the graph's opset, sorted."""
    from onnx import defs

    names = {schema.name for schema in defs.get_all_schemas() if not schema.domain and defs.has(schema.name, hub.OPSET)}
    return sorted(name for name in names if not defs.get_schema(name, hub.OPSET).deprecated)


def convert_opset(model: ir.Model) -> ir.Model:
    """Convert a model to opset :data:`~pocketlens.converters.graph.OPSET`.

    Functions are unfolded first. Older models go through ONNX's own converter. For newer ones there is nothing to
    convert: after opset 20 operators gained types and options, and new operators came. What a generator uses of them
    means the same in opset 20, which is checked node by node; group norms, whose scale changed its form, are decomposed
    in either direction, and so is Swish.

    Returns:
        The model itself or a new one.

    Raises:
        InputError: The model names no opset, or a node cannot be said in opset 20; the message names it.
    """
    common.InlinePass()(model)
    common.RemoveUnusedNodesPass()(model)  # what nobody reads need not be convertible
    for node in model.graph.all_nodes():
        node.domain = "" if node.domain == "ai.onnx" else node.domain
    version = model.opset_imports.get("", model.opset_imports.get("ai.onnx"))
    if version is None:
        raise InputError("the model names no ONNX opset", do=f"export the model with opset {hub.OPSET}")
    _decompose(model, version)
    common.NameFixPass()(model)
    if version > hub.OPSET:
        _convert_down(model, version)
    if version >= hub.OPSET:
        model.opset_imports.pop("ai.onnx", None)
        model.opset_imports[""] = hub.OPSET
        return model
    return _convert_up(model, version)


def _convert_up(model: ir.Model, version: int) -> ir.Model:
    import onnx

    # Before IR version 4 every initializer was a graph input as well; ONNX's converter then looks for it only there.
    model.ir_version = max(model.ir_version, _INITIALIZERS_ARE_NO_INPUTS)
    try:
        with quiet(STDOUT), quiet(STDERR):  # it prints warnings about operators of no standard
            converted: ir.Model = ir.from_proto(onnx.version_converter.convert_version(ir.to_proto(model), hub.OPSET))
        if version < 11:
            _resize_as_before_11(converted)
        return converted
    except Exception as error:  # the C++ converter raises RuntimeErrors of its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"opset {version} cannot be converted to {hub.OPSET}: {first}",
            do=f"export the model with opset {hub.OPSET}",
        ) from error


def _resize_as_before_11(model: ir.Model) -> None:
    """Set what Resize and Upsample did before opset 11, which had no attributes for it.

    ``x_original = x / scale``, rounded down where the nearest is taken. ONNX's converter leaves it out, and the default
    since 11 is another one.
    """
    for node in model.graph.all_nodes():
        if node.op_type == "Resize" and not node.domain:
            for name, value in (("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")):
                node.attributes[name] = ir.AttrString(name, value)


def _convert_down(model: ir.Model, version: int) -> None:
    import onnx

    for node in model.graph.all_nodes():
        if node.domain or node.version is not None:
            continue
        reason = ""
        if not onnx.defs.has(node.op_type, hub.OPSET):
            reason = f"{node.op_type} does not exist there"
        else:
            old = onnx.defs.get_schema(node.op_type, hub.OPSET)
            new = onnx.defs.get_schema(node.op_type, min(version, onnx.defs.onnx_opset_version()))
            for name in [name for name in node.attributes if name not in old.attributes]:
                if _says_default(node, name, new):
                    del node.attributes[name]
                else:
                    reason = f"{node.op_type} has no attribute {name!r} there"
            if len(node.inputs) > old.max_input:
                reason = f"{node.op_type} takes {old.max_input} inputs there"
        if reason:
            raise InputError(
                f"{node.op_type} {node.name!r} of opset {version} cannot be said in {hub.OPSET}: {reason}",
                do=f"export the model with opset {hub.OPSET}",
            )


def _says_default(node: ir.Node, name: str, schema: object) -> bool:
    from onnx import helper

    known = schema.attributes.get(name)  # type: ignore[attr-defined]
    if known is None or not known.default_value.name:
        return False
    default = helper.get_attribute_value(known.default_value)
    return bool(node.attributes[name].value == (default.decode() if isinstance(default, bytes) else default))


def _decompose(model: ir.Model, version: int) -> None:
    for node in tuple(model.graph.all_nodes()):
        if node.domain:
            continue
        if node.op_type == "GroupNormalization":
            _group_norm(node, version)
        elif node.op_type == "Swish":
            _swish(node)
        elif node.op_type == "BatchNormalization" and _uses_the_picture(node, version):
            _instance_norm(node)
        elif node.op_type == "MeanVarianceNormalization":
            _mean_variance(node, version)
        elif version < _FIRST_WITHOUT_EXPERIMENTS and (nodes := decompose_experimental_op(node)):
            assert node.graph is not None
            node.graph.insert_before(node, nodes)
            _replace(node, nodes[-1].outputs[0])


def _put(before: ir.Node, op: str, inputs: list[ir.Value | None], **attributes: ir.Attr) -> ir.Value:
    made = ir.node(op, inputs, outputs=[ir.Value(name=None)])
    made.attributes.update(attributes)
    assert before.graph is not None
    before.graph.insert_before(before, made)
    return made.outputs[0]


def _constant(before: ir.Node, tensor: ir.TensorProtocol) -> ir.Value:
    return _put(before, "Constant", [], value=ir.AttrTensor("value", tensor))


def _replace(node: ir.Node, value: ir.Value) -> None:
    old = node.outputs[0]
    value.type, value.shape = old.type, old.shape
    if old.is_graph_output():
        value.name, old.name = old.name, None
    old.replace_all_uses_with(value, replace_graph_outputs=True)
    assert node.graph is not None
    node.graph.remove(node, safe=True)


def _group_norm(node: ir.Node, version: int) -> None:
    """Decompose a group norm as torch exports it: each group is one channel of an instance norm.

    Until opset 20 there is a scale for each group, afterwards one for each channel.
    """
    x, scale, shift = node.inputs[:3]
    assert x is not None
    groups = hub.integer(node, "num_groups", 1)
    rank = len(x.shape) if x.shape is not None else 4
    view = _put(node, "Reshape", [x, _constant(node, ir.tensor([0, groups, -1], dtype=ir.DataType.INT64))])
    dtype = x.dtype or ir.DataType.FLOAT
    ones = _constant(node, ir.tensor([1.0] * groups, dtype=dtype))
    zeros = _constant(node, ir.tensor([0.0] * groups, dtype=dtype))
    affine = [scale, shift] if version <= 20 else [ones, zeros]
    epsilon = ir.AttrFloat32("epsilon", hub.number(node, "epsilon", 1e-5))
    normal = _put(node, "InstanceNormalization", [view, *affine], epsilon=epsilon)
    result = _put(node, "Reshape", [normal, _put(node, "Shape", [x])])
    if version > 20:
        lead = _constant(node, ir.tensor([-1, *(1,) * (rank - 2)], dtype=ir.DataType.INT64))
        for op, term in (("Mul", scale), ("Add", shift)):
            result = _put(node, op, [result, _put(node, "Reshape", [term, lead])])
    _replace(node, result)


def _uses_the_picture(node: ir.Node, version: int) -> bool:
    """Whether a batch norm computes its statistics: in training mode, which until opset 13 its outputs say."""
    updates = node.outputs[1:]
    if any(value.uses() or value.is_graph_output() for value in updates):
        return False
    return bool(hub.integer(node, "training_mode", 0)) or (version < _TRAINING_MODE and bool(updates))


def _instance_norm(node: ir.Node) -> None:
    """Of one picture, a batch norm by its own statistics is an instance norm."""
    epsilon = ir.AttrFloat32("epsilon", hub.number(node, "epsilon", 1e-5))
    _replace(node, _put(node, "InstanceNormalization", list(node.inputs[:3]), epsilon=epsilon))


def _mean_variance(node: ir.Node, version: int) -> None:
    """``(x - mean) / (deviation + 1e-9)``: ONNX has it as a function, whose shape its inference does not tell."""
    x = node.inputs[0]
    assert x is not None
    axes = hub.ints(node, "axes", (0, 2, 3))
    lengths = _constant(node, ir.tensor(axes, dtype=ir.DataType.INT64)) if version >= _AXES_ARE_INPUTS else None

    def mean(value: ir.Value) -> ir.Value:
        if lengths is not None:
            return _put(node, "ReduceMean", [value, lengths])
        return _put(node, "ReduceMean", [value], axes=ir.AttrInt64s("axes", axes))

    centred = _put(node, "Sub", [x, mean(x)])
    deviation = _put(node, "Sqrt", [mean(_put(node, "Mul", [centred, centred]))])
    least = _constant(node, ir.tensor(1e-9, dtype=x.dtype or ir.DataType.FLOAT))
    _replace(node, _put(node, "Div", [centred, _put(node, "Add", [deviation, least])]))


def _swish(node: ir.Node) -> None:
    x = node.inputs[0]
    assert x is not None
    alpha = _constant(node, ir.tensor(hub.number(node, "alpha", 1.0), dtype=x.dtype or ir.DataType.FLOAT))
    gate = _put(node, "Sigmoid", [_put(node, "Mul", [x, alpha])])
    _replace(node, _put(node, "Mul", [x, gate]))
