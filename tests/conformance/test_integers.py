"""Conformance of what is computed in integers."""

import pytest

from tests.conformance.case import Case, Place, Weights
from tests.conformance.check import Outcome, check_integers
from tests.conformance.conform import Record, conform, parameters


@pytest.mark.parametrize(("operator", "target"), parameters("convolution"))
def test_conformance(operator: str, target: str, record_property: Record) -> None:
    conform(operator, target, record_property, integers=True)


def test_groups_of_a_transposed_convolution_share_their_scales() -> None:
    node = "y = ConvTranspose <strides = [2, 2], group = 3> (x, w, b)"
    case = Case(node, {"w": Weights((3, 2, 4, 4), 2.0), "b": Weights((6,), 0.5)}, Place(3, 4, 3, "Conv", "Conv"))
    assert check_integers(case, "onnx") is Outcome.RAN


@pytest.mark.parametrize("scaled", ["InstanceNormalization(r, one, zero)", "Mul(r, three)"])
@pytest.mark.parametrize("function", ["Identity", "Relu"])
def test_equal_scales_in_front_of_a_shuffle(scaled: str, function: str) -> None:
    nodes = f"""c = Conv <pads = [1, 1, 1, 1]> (x, w)
        r = Relu(c)
        n = {scaled}
        f = {function}(n)
        d = DepthToSpace <blocksize = 2, mode = "CRD"> (f)
        y = Conv <pads = [1, 1, 1, 1]> (d, v)"""
    constants = {"one": (1.0,) * 16, "zero": (0.0,) * 16, "three": Weights((16, 1, 1), 0.0, 3.0)}
    used = {name: value for name, value in constants.items() if name in nodes}
    case = Case(nodes, {"w": Weights((16, 3, 3, 3), 0.3), "v": Weights((3, 4, 3, 3), 0.3), **used}, Place(3, 8, 8))
    assert check_integers(case, "openvino") is Outcome.RAN
