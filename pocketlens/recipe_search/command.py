"""``search``: a recipe, devices and a frame rate in; the Pareto front of filters that hold them out."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pocketlens.bench.budget import PerformanceBudget
from pocketlens.bench.multi_device import open_device
from pocketlens.errors import InputError, MissingError, PocketlensError, require
from pocketlens.files import own
from pocketlens.pipeline.budgets import budget_from
from pocketlens.pipeline.commands.distill import recipe_source
from pocketlens.pipeline.evaluation import check_targets
from pocketlens.pipeline.stage_key import stage_key
from pocketlens.progress import Progress, silent
from pocketlens.recipe import Recipe
from pocketlens.recipe_search.executors import Executor, LocalExecutor, Task
from pocketlens.recipe_search.front import Point, front_of, points_of, write_front
from pocketlens.recipe_search.inputs import freeze
from pocketlens.recipe_search.latency import error_text
from pocketlens.recipe_search.notebook import Notebook
from pocketlens.recipe_search.pick import check_pick, chosen, pick_trial
from pocketlens.recipe_search.space import Space
from pocketlens.recipe_search.trial import Steps, Trials, objectives

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

HOURS = 2.0
"""How long is searched where neither hours nor trials are given."""
_POLL_S = 1.0
_FAILURES = 5
"""A search whose first so many trials all fail is ended: it is not the candidates that are wrong."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        folder: The output folder.
        points: The trials that were carried out to their end.
        front: Those that hold every gate and budget and that no other one beats, the smallest latency first.
        trials: How many trials the study has, those included that were not trained or given up.
        not_trained: How many were predicted over the budget.
        prediction_errors: Of each measured trial, relative.
        picked: The bundle that was picked; None without a pick.
    """

    folder: Path
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    trials: int
    not_trained: int
    prediction_errors: tuple[float, ...]
    picked: Path | None = None


def search(
    recipe: Path | str,
    output: Path | str | None = None,
    *,
    devices: tuple[str, ...] = ("local",),
    fps: float | None = None,
    hours: float | None = None,
    trials: int | None = None,
    storage: str = "",
    executor: str = "",
    at_once: int = 1,
    threads: int = 2,
    pick: str = "",
    notify: Progress = silent,
) -> SearchResult:
    """Search for filters that hold a frame rate on devices and come nearest to the teacher.

    A search that was stopped or killed goes on with the same arguments.

    Args:
        recipe: The path of a recipe; its ``[search]`` says what may vary.
        output: The folder that gets everything; ``NAME-search`` if left out.
        devices: Where files are measured.
        fps: The budget on each device, in frames a second at p95; the recipe's if left out.
        hours: After so many hours no further trial begins; 2 where ``trials`` is left out too.
        trials: No more trials than these in the study, those of earlier runs included.
        storage: The URL of a database for the study; empty for a journal in the output folder.
        executor: ``dask://HOST:PORT`` for a cluster; empty for this machine.
        at_once: Trials at a time on this machine. More than one shares its cores, and trials then depend on which is
            quicker.
        threads: Of torch, for each training.
        pick: The number of a trial, or ``smallest``, ``quickest`` or ``best`` of those that hold; writes its recipe,
            student and bundle.
        notify: Told about progress.

    Raises:
        InputError: The recipe, its space, a device or the output folder is wrong, or the study is of something else.
        MissingError: A library is not installed, or a device, a database or a cluster cannot be reached.

    ::

        found = pocketlens.search("wave.toml", fps=30, hours=1, pick="smallest")
        found.front[0].text  # 'pocket 16/8 x 2 at 256x256, 500 steps, onnx-fp16, 2 threads'
    """
    require("optuna", "search")
    require("torch", "build")
    check_pick(pick)
    path = Path(recipe)
    asked = Recipe.read(path)
    folder = Path(output) if output is not None else Path(f"{asked.filter.name}-search")
    names = tuple(dict.fromkeys(devices))
    budget = _budget(asked, fps)
    source = recipe_source(asked.filter, path.parent)
    check_targets(asked.targets.chosen())
    space = Space(asked, source)
    for device in names if not executor else ():
        _reach(device)
    inputs = freeze(asked, path.parent)
    with _only_search(folder), _executor(executor, at_once, notify) as carried_out_by:
        about = {
            "recipe": asked.model_dump(mode="json", exclude={"pictures", "search"}), "pictures": inputs.pictures,
            "source": source.key, "space": asked.search.model_dump(mode="json"), "devices": list(names),
            "budget": budget.frame_ms, "code or libraries": stage_key(),
        }  # fmt: skip
        notebook = Notebook(
            folder, asked.filter.name, storage, objectives(names), about, sampler=asked.search.sampler,
            seed=asked.search.seed, notify=notify,
        )  # fmt: skip
        carried_out_by.check(inputs, names)
        shared = Trials(
            inputs, space, notebook, names, budget, folder, threads, executor, _errors(notebook.trials(), names)
        )
        _Loop(shared, carried_out_by, notify, _deadline(hours, trials), trials).run()
        everything = notebook.trials()
    points = points_of(everything, names)
    front = front_of(points)
    errors = tuple(_errors(everything, names))
    write_front(folder, asked.filter.name, points, front, names, budget, error_text(list(errors)))
    not_trained = sum("not trained" in trial.user_attrs.get("why it ended", "") for trial in everything)
    picked = None
    if pick:
        picked = pick_trial(asked, path.parent, folder, chosen(points, front, pick), threads, notify)
    return SearchResult(folder, points, front, len(everything), not_trained, errors, picked)


def _errors(trials: "list[FrozenTrial]", devices: tuple[str, ...]) -> list[float]:
    """Of the predictions of measured trials, relative."""
    noted = [trial.user_attrs.get(f"{device} prediction error") for trial in trials for device in devices]
    return [error for error in noted if error is not None]


def _reach(name: str) -> None:
    """Refuse a device that does not answer before anything is trained; a browser may be opened later."""
    device = open_device(name)
    try:
        if not name.startswith("web:"):
            device.prepare(())
    finally:
        device.close()


def _budget(recipe: Recipe, fps: float | None) -> PerformanceBudget:
    table = recipe.budget.model_dump(exclude_none=True)
    if fps is not None:
        table.pop("frame_ms", None)
        table["fps"] = fps
    return budget_from(table)


def _deadline(hours: float | None, trials: int | None) -> float:
    if hours is None:
        return float("inf") if trials is not None else time.monotonic() + 3600 * HOURS
    return time.monotonic() + 3600 * hours


@contextmanager
def _executor(address: str, at_once: int, notify: Progress) -> Iterator[Executor]:
    executor: Executor
    if address:
        from pocketlens.recipe_search.cluster import ClusterExecutor

        executor = ClusterExecutor(address, notify)
    else:
        executor = LocalExecutor(at_once)
    try:
        yield executor
    finally:
        executor.close()


@contextmanager
def _only_search(folder: Path) -> Iterator[None]:
    """One search works in a folder; the lock of one that was killed is gone with it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with own(folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"another search works in {folder}", do="wait for it, or choose another output folder"
                ) from error
            yield
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise InputError(
            f"{folder} cannot be written to: {error.strerror}", do="choose another output folder"
        ) from error


class _Loop:
    """Trials side by side, each a generator of tasks."""

    def __init__(self, shared: Trials, executor: Executor, notify: Progress, deadline: float, most: int | None) -> None:
        self._shared, self._executor, self._notify = shared, executor, notify
        self._deadline, self._most = deadline, most
        self._steps: dict[Task, tuple[optuna.Trial, Steps]] = {}
        self._parked: list[tuple[optuna.Trial, Steps]] = []
        self._failures = 0
        self._failed_only = True

    def run(self) -> None:
        """Go on with the trials of a search that was killed, then ask for new ones until it is enough."""
        left = self._shared.notebook.unfinished()
        while True:
            while len(self._steps) + len(self._parked) < self._executor.trials:
                trial = left.pop(0) if left else self._ask()
                if trial is None:
                    break
                self._advance(trial, self._shared.carry_out(trial), None, None)
            if not self._steps:
                return
            if outcome := self._executor.next(_POLL_S):
                task, answer, error = outcome
                trial, steps = self._steps.pop(task)
                self._advance(trial, steps, answer, error)
                parked, self._parked = self._parked, []
                for trial, steps in parked:
                    self._advance(trial, steps, None, None)

    def _ask(self) -> "optuna.Trial | None":
        notebook = self._shared.notebook
        if time.monotonic() > self._deadline or (self._most is not None and len(notebook.trials()) >= self._most):
            return None
        return notebook.ask()

    def _advance(self, trial: "optuna.Trial", steps: Steps, answer: object, error: BaseException | None) -> None:
        try:
            task = steps.throw(error) if error is not None else steps.send(answer)
        except StopIteration:
            self._failed_only = False
            return
        except PocketlensError as failure:
            self._fail(trial, failure)
            return
        except Exception as defect:  # noqa: BLE001 - of one candidate's library or file; the others go on
            self._fail(trial, InputError(f"unexpected {type(defect).__name__}: {defect}", do="report this defect"))
            return
        if task is None:
            self._parked.append((trial, steps))
            return
        self._notify(self._progress(task), *self._share())
        self._steps[task] = trial, steps
        self._executor.submit(task)

    def _fail(self, trial: "optuna.Trial", failure: PocketlensError) -> None:
        """A candidate that cannot be made fails alone; a device that is away or a full disk ends the search, which goes
        on with this trial when it is run again.
        """
        if isinstance(failure, MissingError) or failure.exit_code == MissingError.exit_code:
            raise failure
        if os.strerror(errno.ENOSPC) in failure.what:
            raise failure
        self._failures += 1
        self._shared.notebook.fail(trial, failure.what)
        if self._failed_only and self._failures >= _FAILURES:
            raise InputError(f"the first {_FAILURES} trials all failed, the last with: {failure.what}", do=failure.do)

    def _progress(self, task: Task) -> str:
        errors = error_text(self._shared.errors)
        return f"{task.name}{errors and f' ({errors})'}"

    def _share(self) -> tuple[int, int]:
        done = len(self._shared.notebook.trials())
        return max(0, done - len(self._steps) - 1), self._most or done
