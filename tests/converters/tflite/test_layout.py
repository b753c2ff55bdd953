import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketlens.converters.tflite import layout

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@settings(max_examples=200)
@given(shapes, shapes)
def test_same_order_is_what_moving_the_values_shows(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    values = np.arange(np.prod(before)).reshape(before)
    if np.prod(before) != np.prod(after):
        assert not layout.same_order(before, after)
        return
    moved = np.array_equal(layout.stored(values).ravel(), layout.stored(values.reshape(after)).ravel())
    assert layout.same_order(before, after) == moved
