from pocketlens.converters import operators
from pocketlens.converters.emitter import emitter
from pocketlens.converters.opset import standard_operators
from pocketlens.targets import TARGETS
from tests.conformance.operators import CASES


def test_the_page_is_up_to_date() -> None:
    assert operators.PAGE.read_text() == operators.page(), "make operators"


def test_every_operator_of_ours_is_generated() -> None:
    """In a case of its own; comparisons and single-use ones stand in the cases of others."""
    named = {name.split(",")[0] for name in CASES} | WITHIN_OTHERS
    targets = [emitter(target).lowered_operators() for target in TARGETS]
    ours = {operator for target in targets if target.has_own_lowerings for operator in target.conditions}
    assert len(ours) > 70
    assert ours & set(standard_operators()) - named == set()


WITHIN_OTHERS = {
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Equal",
    "Not",
    "Or",
    "Xor",
    "QuantizeLinear",
    "DequantizeLinear",
}
"""Of the cases of Where; quantizers jump where rounding decides, and have tests of whole graphs of their own."""
