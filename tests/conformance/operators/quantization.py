"""Values rounded to integers and back."""

from tests.conformance.draws import Case, Draw, chosen, operator, place

UINT8, INT8 = 2, 3
"""As ONNX numbers its types."""


@operator("QuantizeLinear", "DequantizeLinear")
def rounded(draw: Draw, name: str) -> Case:
    """Steps that no value lies in the middle of, so that nobody has to round half."""
    scale = chosen(draw, 3 / 64, 5 / 64, 0.25 + 1 / 64)
    kind, zero = chosen(draw, (UINT8, 0), (UINT8, 100), (INT8, 0), (INT8, -7))
    nodes = f"z = Cast <to = {kind}> (zero)\nq = QuantizeLinear(x, scale, z)\ny = DequantizeLinear(q, scale, z)"
    return Case(nodes, {"scale": scale, "zero": (zero,)}, place(draw, exact=True))
