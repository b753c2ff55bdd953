"""Adaptive average pools to sizes that do not divide the picture's, for torch's exporter, which has no form of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class PoolsAsProducts(TorchFunctionMode):
    """While it is entered, such a pool is a product with a matrix for each axis.

    Exact to float rounding: output ``i`` of ``n`` is the mean of the positions from ``floor(i * length / n)`` up to
    ``ceil((i + 1) * length / n)``, so each row of the matrix holds one over their number. Pools to sizes that divide,
    which are windows, stay as they are. Pyramids of pools (to 1, 2, 3 and 6) and ``interpolate(mode="area")`` have
    others.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute a function of torch, or what stands for it."""
        named = dict(kwargs or {})
        if func is functional.adaptive_avg_pool2d:
            pooled = _pooled(*args, **named)
        elif func is functional.interpolate and named.get("mode") == "area" and named.get("size") is not None:
            pooled = _pooled(args[0] if args else named["input"], named["size"])
        else:
            pooled = None
        return func(*args, **named) if pooled is None else pooled


def _pooled(input: torch.Tensor, output_size: int | Sequence[int | None]) -> torch.Tensor | None:
    if input.ndim != 4:
        return None
    wanted = [output_size] * 2 if isinstance(output_size, int) else list(output_size)
    lengths = [int(n) for n in input.shape[2:]]
    sizes = [length if size is None else int(size) for size, length in zip(wanted, lengths, strict=True)]
    if all(length % size == 0 for size, length in zip(sizes, lengths, strict=True)):
        return None
    rows, columns = (_means(length, size).to(input) for size, length in zip(sizes, lengths, strict=True))
    return torch.matmul(torch.matmul(rows, input), columns.T)


def _means(length: int, size: int) -> torch.Tensor:
    """Which positions each output is the mean of: ``[size, length]``."""
    matrix = torch.zeros(size, length, dtype=torch.float64)
    for i in range(size):
        start, end = i * length // size, -(-(i + 1) * length // size)
        matrix[i, start:end] = 1 / (end - start)
    return matrix
