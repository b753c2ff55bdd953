"""What a search varies: the space of a recipe, and candidates drawn from it."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pocketlens import machine
from pocketlens.errors import InputError
from pocketlens.models.source import Source
from pocketlens.pipeline.rewrite_selection import MODES, parse
from pocketlens.precisions import PRECISIONS
from pocketlens.recipe import Compress, Recipe, Rewrites, Rule, Search, Targets
from pocketlens.runtimes.adapter import RUNTIMES, has
from pocketlens.site import page
from pocketlens.targets import target_named

if TYPE_CHECKING:
    import optuna

_WIDTH_STEP, _HALF_STEP = 8, 4
_NO_CHOICE = "the runtime's choice"


class Draw(Protocol):
    """What draws values: an Optuna trial, or a list of values that are there already."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of several."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A number from ``low`` to ``high``."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from ``low`` to ``high``."""
        ...


@dataclass(frozen=True)
class Candidate:
    """One point of the space.

    Attributes:
        compress: The student and its training.
        size: Height and width that the student computes at, in pixels.
        target: A name of :data:`pocketlens.targets.TARGETS`.
        precision: Of the file.
        rewrites: As the command line takes them.
        keep_float: Regular expressions of layers that stay in float.
        runtime: That plays the file; empty for the first that can.
        threads: To play with.
        accelerator: That computes; empty for the runtime's choice.
    """

    compress: Compress
    size: tuple[int, int]
    target: str
    precision: str
    rewrites: str
    keep_float: tuple[str, ...]
    runtime: str
    threads: int
    accelerator: str

    @property
    def text(self) -> str:
        """The candidate in a line.

        Example:
            >>> settings = Compress(width=16, half_res_channels=8, blocks=2, steps=500)
            >>> Candidate(settings, (64, 64), "onnx", "fp16", "safe", (), "", 2, "").text
            'pocket 16/8 x 2 at 64x64, 500 steps, onnx-fp16, 2 threads'
        """
        settings = self.compress
        if settings.macs is None:
            student = f"pocket {settings.width}/{settings.half_res_channels} x {settings.blocks}"
        else:
            student = f"{settings.cut} {settings.macs:.3f}"
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        parts = [
            f"{student} at {self.size[0]}x{self.size[1]}",
            f"{settings.steps} steps" + f" and {settings.int8_steps} in int8" * bool(settings.int8_steps),
            f"{self.target}-{self.precision}",
            self.runtime,
            threads,
        ]
        parts += [self.accelerator, "" if self.rewrites == "safe" else f"rewrites {self.rewrites}"]
        return ", ".join(filter(None, (*parts, *(f"float {name}" for name in self.keep_float))))

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe that builds this candidate's file."""
        keep = parse(self.rewrites)
        rules = tuple(Rule(setting="float", match=match) for match in self.keep_float)
        return recipe.model_copy(
            update={
                "filter": recipe.filter.model_copy(update={"sizes": (self.size,)}),
                "targets": Targets(**{self.target: (self.precision,)}),
                "rewrites": Rewrites(keep=keep if isinstance(keep, str) else tuple(keep)),
                "quantize": recipe.quantize.model_copy(
                    update={"rules": (*recipe.quantize.rules, *rules), "search": False}
                ),
                "compress": self.compress,
                "search": Search(),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """As documents keep it."""
        return {**asdict(self), "compress": self.compress.model_dump(mode="json", exclude_unset=True)}


class Space:
    """The space of a recipe.

    Raises:
        InputError: It is empty somewhere: a kind of student that the source cannot have, a runtime that plays none of
            the files, rewrites that do not exist.
    """

    def __init__(self, recipe: Recipe, source: Source) -> None:
        self._recipe, self._table = recipe, recipe.search
        self.students = self._students(source)
        self.files = tuple(f"{t} {p}" for t, precisions in recipe.targets.chosen().items() for p in precisions)
        self.sizes = self._table.sizes or recipe.filter.sizes[:1]
        self.threads = self._table.threads or tuple(n for n in (1, 2, 4) if n <= machine.cores())
        for choice in self._table.rewrites:
            if choice not in MODES:
                parse(choice)
            elif choice == "auto":
                raise InputError(
                    "search.rewrites has 'auto', which measures while it builds", do="name none, safe or the rewrites"
                )
        for expression in self._table.keep_float:
            re.compile(expression)
        self._players = {name: self._runtimes(name.split()[0]) for name in self.files}

    def draw(self, draw: "Draw | optuna.Trial") -> Candidate:
        """A candidate; every value is drawn under a name that reads well."""
        kind = draw.suggest_categorical("student", self.students)
        target, precision = draw.suggest_categorical("file", self.files).split()
        size = draw.suggest_categorical("size", [f"{height}x{width}" for height, width in self.sizes])
        height, width = map(int, size.split("x"))
        kept: tuple[str, ...] = ()
        if PRECISIONS[precision].is_low_bit:
            kept = tuple(e for e in self._table.keep_float if draw.suggest_categorical(f"{e} in float", (False, True)))
        accelerator = draw.suggest_categorical("accelerator", self._table.accelerators or (_NO_CHOICE,))
        return Candidate(
            self._compress(kind, PRECISIONS[precision].quantizes == "activations", draw),
            (height, width),
            target,
            precision,
            draw.suggest_categorical("rewrites", self._table.rewrites),
            kept,
            draw.suggest_categorical(f"{target} runtime", self._players[f"{target} {precision}"]),
            draw.suggest_categorical("threads", self.threads),
            "" if accelerator == _NO_CHOICE else accelerator,
        )

    def _compress(self, kind: str, in_int8: bool, draw: "Draw | optuna.Trial") -> Compress:
        table = self._table
        steps = draw.suggest_int("steps", *table.steps, log=True)
        given = (self._recipe.compress or Compress()).model_dump(
            include={"multiple", "int8_steps", "instance_norm", "pictures", "batch", "rate", "adversarial", "seed"},
            exclude_unset=True,
        )
        if table.int8_steps:
            given["int8_steps"] = draw.suggest_categorical("int8_steps", table.int8_steps) if in_int8 else 0
        if kind == "pocket":
            return Compress(
                **given,
                steps=steps,
                width=_multiple(draw, "width", table.width, _WIDTH_STEP),
                half_res_channels=_multiple(draw, "half_res_channels", table.half_res_channels, _HALF_STEP),
                blocks=draw.suggest_int("blocks", *table.blocks),
            )
        given.pop("instance_norm", None)
        share = round(draw.suggest_float(f"share of {kind}", *table.share, log=True), 4)
        return Compress.model_validate({**given, "steps": steps, "macs": share, "cut": kind})

    def _students(self, source: Source) -> tuple[str, ...]:
        from pocketlens.models.distill.initial_student import check_source

        wanted, possible, refusal = self._table.students or ("pocket", "channels", "ranks"), [], None
        for kind in dict.fromkeys(wanted):
            try:
                check_source(source, (self._table.sizes or self._recipe.filter.sizes)[0], kind != "pocket")
            except InputError as error:
                if self._table.students:
                    raise
                refusal = error
            else:
                possible.append(kind)
        if not possible:
            assert refusal is not None
            raise refusal
        return tuple(possible)

    def _runtimes(self, target: str) -> tuple[str, ...]:
        wanted, players = self._table.runtimes, target_named(target).runtimes
        for name in wanted:
            if name not in RUNTIMES:
                raise InputError(f"search.runtimes: there is no {name!r}", do=f"choose from {', '.join(RUNTIMES)}")
        possible = tuple(name for name in players if name in wanted)
        if wanted and not possible:
            raise InputError(
                f"search.runtimes {', '.join(wanted)} plays no {target} files, so that the space is empty",
                do=f"add one of {', '.join(players)}, or leave {target} out of [targets]; see {page('search')}",
            )
        for name in self._table.accelerators:
            if not any(has(RUNTIMES[player].accelerators, name) for player in possible or players):
                raise InputError(f"search.accelerators: {name!r} plays no {target} files", do="leave one of them out")
        return possible or (next((p for p in players if not RUNTIMES[p].missing()), players[0]),)


def _multiple(draw: "Draw | optuna.Trial", name: str, limits: tuple[int, int], step: int) -> int:
    low, high = limits
    return draw.suggest_int(name, low, low + (high - low) // step * step, step=step)
