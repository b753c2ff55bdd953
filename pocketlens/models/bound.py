"""A torch module of any signature as one of a picture in and a picture out."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from pocketlens.converters.extras import Extras
from pocketlens.converters.signature import Signature, part_of
from pocketlens.errors import InputError


class Bound(nn.Module):
    """A module whose inputs and outputs are taken as a signature says.

    Args:
        module: Takes the picture as its first argument, ``float32 [1, channels, H, W]``.
        signature: Constants are arguments of its ``forward`` by name; the output is a place of its tuple, or a key of
            its dictionary.

    Raises:
        InputError: ``forward`` has no such argument, or a constant cannot be read.
    """

    def __init__(self, module: nn.Module, signature: Signature) -> None:
        super().__init__()
        self.module, self._signature = module, signature
        names = list(inspect.signature(module.forward).parameters)
        for name in (*filter(None, [signature.second]), *(taken for taken, _ in signature.states)):
            if name not in names[1:]:
                raise InputError(
                    f"forward has no argument {name!r} beside the picture", do=f"choose from {', '.join(names[1:])}"
                )
        self._arguments: list[str] = []
        self._channels: list[int] = []
        for index, (name, text) in enumerate(signature.constants):
            part = part_of(name, names)
            if part is None or (part[1] is None) == (part[0] == names[0]):
                raise InputError(
                    f"forward has no argument {name!r} to fix beside the picture",
                    do=f"choose from {', '.join((*names[1:], f'{names[0]}.3'))}; the last is a channel of the picture",
                )
            self.register_buffer(f"constant_{index}", torch.from_numpy(signature.value(text)), persistent=False)
            if part[1] is None:
                self._arguments.append(part[0])
            else:
                self._arguments.append("")
                self._channels.append(part[1].start)
        normal = signature.normalization()
        if normal is not None:
            for name, term in zip(("scale", "shift"), normal, strict=True):
                self.register_buffer(name, torch.from_numpy(term).reshape(1, 3, 1, 1), persistent=False)
        self.eval()

    @property
    def signature(self) -> Signature:
        """What is said of its inputs and outputs."""
        return self._signature

    def example_extras(self, picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What goes in beside a picture ``float32 [1, 3, H, W]``: zeros for a second picture, and for each state.

        The channels of a second picture are found by trying, and so are the shapes of states: a module that takes none
        for the first frame says them, or one that takes zeros of one pixel. Where it refuses constants that are whole
        numbers, they are integers from then on, as an embedding wants its labels, or one a picture; where it refuses a
        number, that number everywhere, as a mask.
        """
        tries = (
            [torch.zeros(1, channels, *picture.shape[2:]) for channels in (3, 1)] if self._signature.second else [None]
        )
        refused: Exception | None = None
        floats = [getattr(self, f"constant_{i}") for i in range(len(self._arguments))]
        for constants in (floats, *_as_labels(floats), *_as_masks(floats, picture)):
            self._fix(constants)
            for second in tries:
                beside = [] if second is None else [second]
                try:
                    return (*beside, *self._first_states(picture, beside))
                except Exception as error:  # noqa: BLE001 - it is the user's own code, which may raise anything
                    refused = refused or error
        self._fix(floats)
        if isinstance(refused, InputError):
            raise refused
        hint = "; let forward take None for the states of the first frame, which says their shapes"
        if not (self._signature.second or self._signature.states):
            raise InputError(
                f"the generator does not take these constants: {refused}",
                do="give arrays of the shapes that it takes: --constant NAME=FILE.npy",
            )
        raise InputError(
            f"the generator takes no second picture or state: {refused}",
            do=f"check --second and --state{hint if self._signature.states else ''}",
        )

    def _fix(self, constants: Sequence[torch.Tensor]) -> None:
        for index, value in enumerate(constants):
            setattr(self, f"constant_{index}", value)

    def _first_states(self, picture: torch.Tensor, beside: list[torch.Tensor]) -> list[torch.Tensor]:
        count = len(self._signature.states)
        with torch.no_grad():
            if not count:
                self(picture, *beside)
                return []
            parameters = inspect.signature(self.module.forward).parameters
            optional = all(parameters[taken].default is None for taken, _ in self._signature.states)
            first = [None] * count if optional else [torch.zeros(1, 1, 1, 1)] * count
            given = self(picture, *beside, *first)[-count:]
            zeros = [torch.zeros_like(state) for state in given]
            again = self(picture, *beside, *zeros)[-count:]
        if [s.shape for s in again] != [z.shape for z in zeros]:
            raise InputError(f"the states grow from {_shapes(zeros)} to {_shapes(again)}", do="check --state")
        return zeros

    def forward(self, picture: torch.Tensor, *beside: torch.Tensor | None) -> Any:
        """``float32 [1, 3, H, W]`` in, RGB, and a second picture and states behind it; what the module makes of it out:
        the picture, or a tuple of it, the alpha and the states.
        """
        signature = self._signature
        if hasattr(self, "scale"):
            picture = picture * self.scale + self.shift
        if signature.input_order == "BGR":
            picture = picture[:, [2, 1, 0]]
        fixed = [getattr(self, f"constant_{i}") for i in range(len(self._arguments))]
        extra = [value for name, value in zip(self._arguments, fixed, strict=True) if not name]
        if extra:
            picture = self._with_channels(picture, extra)
        arguments = {name: value for name, value in zip(self._arguments, fixed, strict=True) if name}
        names = (*filter(None, [signature.second]), *(taken for taken, _ in signature.states))
        given = self.module(picture, **arguments, **dict(zip(names, beside, strict=True)))
        kept = (*filter(None, [signature.alpha]), *(place for _, place in signature.states))
        stylized = _part(given, signature.output, kept)
        if signature.output_order == "BGR":
            stylized = stylized.flip(1)
        return (stylized, *(_part(given, name) for name in kept)) if kept else stylized

    def _with_channels(self, picture: torch.Tensor, extra: list[torch.Tensor]) -> torch.Tensor:
        colours = list(picture.split(1, 1))
        for place, value in sorted(zip(self._channels, extra, strict=True), key=lambda pair: pair[0]):
            colours.insert(place, torch.zeros_like(colours[0]) + value)
        return torch.cat(colours, 1)


def _as_labels(constants: Sequence[torch.Tensor]) -> list[list[torch.Tensor]]:
    """The constants with whole numbers as integers, and these with one axis more; nothing where there are none."""
    whole = [not value.is_floating_point() or bool((value == value.round()).all()) for value in constants]
    if not any(whole):
        return []
    integers = [value.long() if is_whole else value for value, is_whole in zip(constants, whole, strict=True)]
    return [integers, [value.reshape(1) if value.ndim == 0 and is_whole else value
                       for value, is_whole in zip(integers, whole, strict=True)]]  # fmt: skip


def _as_masks(constants: Sequence[torch.Tensor], picture: torch.Tensor) -> list[list[torch.Tensor]]:
    """The constants with each number as a mask, or a picture, that holds it everywhere; nothing where there is none."""
    if all(value.ndim for value in constants):
        return []
    return [
        [value if value.ndim else value.expand(1, channels, *picture.shape[2:]).clone() for value in constants]
        for channels in (1, 3)
    ]


def _shapes(tensors: Sequence[torch.Tensor]) -> list[list[int]]:
    return [list(tensor.shape) for tensor in tensors]


def extras_of(module: nn.Module, beside: Sequence[torch.Tensor]) -> Extras:
    """What goes in and comes out of a module beside its picture.

    Args:
        module: Any; only a :class:`Bound` has more than a picture.
        beside: Its :meth:`Bound.example_extras`.
    """
    if not isinstance(module, Bound):
        return Extras()
    shapes = [tuple(tensor.shape) for tensor in beside]
    second = shapes.pop(0) if module.signature.second else None
    return Extras(second, tuple(shapes), bool(module.signature.alpha))


def _part(given: Any, wanted: str, others: Sequence[str] = ()) -> torch.Tensor:
    """The picture of what a module gives; without a name the only one that is not among the others.

    Raises:
        InputError: It gives no such thing.
    """
    named = dict(given) if isinstance(given, dict) else None
    if named is None and isinstance(given, tuple | list):
        named = {str(i): value for i, value in enumerate(given)}
    if named is None:
        named = {"0": given}
    left = [str(name) for name in named if str(name) not in others]
    wanted = wanted or (left[0] if len(left) == 1 else "")
    part = part_of(wanted, [str(name) for name in named])
    picture = named.get(part[0]) if part is not None else None
    if part is None or not isinstance(picture, torch.Tensor):
        raise InputError(f"the generator has no output {wanted!r}", do=f"choose from {describe(given)}")
    return picture if part[1] is None else picture[:, part[1]]


def require_picture(given: Any) -> None:
    """Refuse what is not one tensor.

    Raises:
        InputError: It is a tuple or dictionary; the message lists what is in it.
    """
    if not isinstance(given, torch.Tensor):
        raise InputError(
            f"the generator gives a {type(given).__name__} of {describe(given)}, expected one picture",
            do="say which is the picture: --output PLACE, or output in the recipe",
        )


def missing_arguments(module: nn.Module) -> list[str]:
    """What ``forward`` takes beside the picture and has no default for, of a :class:`Bound` what nothing is said of."""
    said: set[str] = set()
    if isinstance(module, Bound):
        signature, module = module.signature, module.module
        said = {signature.second, *(taken for taken, _ in signature.states), *(name for name, _ in signature.constants)}
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind in plain and p.name not in said]


def describe(given: Any) -> str:
    """What a module gives, in words: each output with its shape."""
    items = (
        given.items() if isinstance(given, dict) else enumerate(given if isinstance(given, tuple | list) else [given])
    )
    shapes = [
        (name, list(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__) for name, value in items
    ]
    return ", ".join(f"{name} ({shape})" for name, shape in shapes)
