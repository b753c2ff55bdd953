"""What computing a constant may cost, decided before it is computed.

A few bytes of a file can ask for any amount of memory or time: a Range to 10¹¹, a Concat of a value with itself forty
times over, a Resize to 10⁵ x 10⁵. The constants are computed by ONNX's reference implementation, in numpy and Python,
so the cost of a node follows from the shapes of what it reads and gives. Only operators whose cost is known are
computed at all.
"""

import math
import time

import onnx_ir as ir

from pocketlens.converters.constants import constant
from pocketlens.converters.rewrites import edit
from pocketlens.converters.rewrites.spread_constants import is_spread_for_concat
from pocketlens.errors import InputError

MAX_FOLDED_ELEMENTS = 1 << 24
"""Largest constant that is computed, in elements: far above any weight, far below any memory."""
MAX_TOTAL_BYTES = 2_000_000_000
"""Most bytes that the computed constants of one pass may have together: as many as a model's weights may have."""
MAX_SECONDS = 60.0
"""Most time of a processor for the constants of one pass; real generators take less than one second."""
MAX_NODE_SECONDS = 5.0
"""Most time that one node may take by the estimate; it stays a node where it would take longer."""
MAX_PIECES = 1000
"""Most pieces that a sequence is split into."""

_ELEMENTWISE = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast
    CastLike Ceil Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid
    HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log LogSoftmax Max Mean Min Mish Mod Mul Neg Not
    Or PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Sub Sum Tan
    Tanh ThresholdedRelu Where Xor
""".split()  # noqa: SIM905
_MOVING = """
    ArgMax ArgMin BatchNormalization Compress Concat ConstantOfShape CumSum DepthToSpace Expand EyeLike Flatten
    Gather GatherElements InstanceNormalization NonZero OneHot Pad Range ReduceL1 ReduceL2 ReduceLogSum
    ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape Shape Size Slice
    SpaceToDepth Squeeze Tile Transpose Trilu Unsqueeze
""".split()  # noqa: SIM905
_BY_ELEMENT = ("GatherND", "GridSample", "Resize", "ScatterElements", "ScatterND", "Upsample")
"""What the reference implementation computes in a Python loop over the elements."""
_BY_PRODUCT = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_SECONDS_AN_ELEMENT = 1e-8
_SECONDS_A_LOOP = 1e-4
_SECONDS_A_PRODUCT = 1e-8
_OF_UNKNOWN_LENGTH = ("Compress", "NonZero")
"""What gives at most as many elements as it reads has, times its rank; how many is known only afterwards."""


class FoldBudget:
    """What is left for the constants of one pass."""

    def __init__(self) -> None:
        self._bytes, self._end = MAX_TOTAL_BYTES, time.process_time() + MAX_SECONDS

    def allows(self, node: ir.Node) -> bool:
        """Whether a node whose inputs are all constant is computed; it is counted if so.

        Raises:
            InputError: The constants before it took too long, or are too large together.
        """
        if time.process_time() > self._end:
            raise InputError(f"the constants take more than {MAX_SECONDS:.0f} seconds to compute", do=_SIMPLER)
        if len(node.outputs) != 1 or node.domain or (elements := _given(node)) is None:
            return False
        if is_spread_for_concat(node):
            return False
        if elements > MAX_FOLDED_ELEMENTS or _seconds(node, elements) > MAX_NODE_SECONDS:
            return False
        self._bytes -= elements * 8
        if self._bytes < 0:
            raise InputError(f"the computed constants are more than {MAX_TOTAL_BYTES:,} bytes", do=_SIMPLER)
        return True


_SIMPLER = "export the generator with its constants computed, for instance by onnxsim"


def has_too_many_pieces(node: ir.Node) -> bool:
    """Whether a SplitToSequence would be taken apart into more than :data:`MAX_PIECES`, or nobody knows how many."""
    if node.op_type != "SplitToSequence" or node.domain:
        return False
    shape = edit.shape_of(node.inputs[0])
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else 0
    if shape is None or not -len(shape) <= axis < len(shape):
        return True
    sizes = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if sizes is not None and sizes.ndim:
        return sizes.size > MAX_PIECES
    return shape[axis] > MAX_PIECES * (1 if sizes is None else max(int(sizes), 1))


def _given(node: ir.Node) -> int | None:
    """How many elements a node gives, None if nobody knows."""
    shape = edit.shape_of(node.outputs[0])
    if shape is not None:
        return math.prod(shape)
    if node.op_type in _OF_UNKNOWN_LENGTH:
        source = edit.shape_of(node.inputs[0]) or ()
        return math.prod(source) * max(len(source), 1)
    return None


def _seconds(node: ir.Node, elements: int) -> float:
    """About how long the reference implementation takes for a node."""
    shapes = [edit.shape_of(value) or () for value in node.inputs]
    touched = elements + sum(math.prod(shape) for shape in shapes)
    if node.op_type in _ELEMENTWISE or node.op_type in _MOVING:
        return touched * _SECONDS_AN_ELEMENT
    if node.op_type in _BY_ELEMENT:
        return touched * _SECONDS_A_LOOP
    if node.op_type in _BY_PRODUCT and len(shapes) > 1 and shapes[0] and shapes[1]:
        # Each element is a sum over at most every weight of its channel, or over a whole row.
        longest = max(math.prod(shapes[1][1:]), shapes[0][-1], shapes[1][0])
        return (touched + elements * longest) * _SECONDS_A_PRODUCT
    return math.inf
