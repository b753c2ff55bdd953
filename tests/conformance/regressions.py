"""Cases that failed once, each with the target on which it failed."""

from tests.conformance.case import Case, Place, Weights

REGRESSIONS: dict[str, tuple[str, Case]] = {
    "OpenVINO merged an order of channels into the next convolution the wrong way round": (
        "openvino",
        Case("y = Gather <axis = 1> (x, i)", {"i": (0, 1, 4, 2, 3)}, Place(5, 4, 5, "Conv")),
    ),
    "OpenVINO cut the odd row of an output_shape at the other end": (
        "openvino",
        Case(
            "y = ConvTranspose <strides = [2, 2], group = 2, output_shape = [1, 1]> (x, w)",
            {"w": Weights((2, 1, 1, 2), 2.0)},
            Place(2, 1, 1, "Conv"),
        ),
    ),
    "a grouped transposed convolution with a kernel smaller than its stride had rows that nobody asked for": (
        "tflite",
        Case(
            "y = ConvTranspose <strides = [2, 2], group = 2, output_padding = [0, 1], pads = [0, 0, 1, 0]> (x, w)",
            {"w": Weights((2, 1, 1, 1), 2.0)},
            Place(2, 2, 1, "Conv"),
        ),
    ),
    "a grouped transposed convolution whose output padding lies past everything that the input reaches": (
        "tflite",
        Case(
            "y = ConvTranspose <strides = [3, 3], group = 2, output_padding = [2, 2], pads = [1, 1, 0, 0]> (x, w, b)",
            {"w": Weights((2, 1, 2, 2), 2.0), "b": Weights((2,))},
            Place(2, 1, 1, "Conv"),
        ),
    ),
    "Core ML lets the threshold itself pass": (
        "coreml",
        Case("m = Mul(x, scale)\ny = ThresholdedRelu <alpha = 0.5> (m)", {"scale": 0.5}, Place(3, 1, 6)),
    ),
    "OpenVINO does not know places of GatherElements that are counted from the end": (
        "openvino",
        Case(
            "i = Expand(row, to)\ny = GatherElements <axis = 2> (x, i)",
            {"row": (0, 0, 0, -1), "to": (1, 2, 1, 4)},
            Place(2, 3, 4, "Conv"),
        ),
    ),
    "a Resize whose axes are not in order": (
        "tflite",
        Case('y = Resize <mode = "nearest", axes = [3, 2]> (x, , scales)', {"scales": (2.5, 1.0)}, Place(3, 4, 5)),
    ),
    "OpenVINO takes a slope of the columns for one of the channels": (
        "openvino",
        Case("y = PRelu (x, slope)", {"slope": Weights((3,), 0.5)}, Place(3, 2, 3)),
    ),
    "OpenVINO leaves the signs of a length along no axis": (
        "openvino",
        Case("r = ReduceL1 <noop_with_empty_axes = 1> (x)\ny = Relu(r)", {}, Place(3, 1, 3)),
    ),
    "OpenVINO dropped the Slice in front of GatherElements": (
        "openvino",
        Case(
            "c = Slice(x, s, e, a)\ni = Expand(at, to)\ny = GatherElements <axis = 2> (c, i)",
            {"s": (0,), "e": (3,), "a": (3,), "at": 1, "to": (1, 3, 2, 3)},
            Place(3, 4, 7),
        ),
    ),
    "Core ML mirrors the last two axes alone": (
        "coreml",
        Case(
            'z = Pad <mode = "reflect"> (x, p)\ny = Mul(z, half)',
            {"p": (0, 1, 2, 0, 0, 2, 0, 0), "half": 0.5},
            Place(3, 4, 5, "Conv"),
        ),
    ),
    "Core ML repeats the border of channels": (
        "coreml",
        Case('y = Pad <mode = "edge"> (x, p)', {"p": (0, 1, 0, 2, 0, 0, 0, 0)}, Place(3, 4, 5, "Conv")),
    ),
}
