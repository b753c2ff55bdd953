"""One trial: what is done one after the other, from a candidate to its place beside the others."""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pocketlens import files
from pocketlens.bench.budget import BudgetVerdict, PerformanceBudget, judge_all
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.multi_device import file_name
from pocketlens.errors import InputError
from pocketlens.phones.layers import Costs
from pocketlens.pipeline.gates import gates_of
from pocketlens.pipeline.stage_key import machine, stage_key
from pocketlens.recipe import Compress, Recipe
from pocketlens.recipe_search import tasks
from pocketlens.recipe_search.executors import Task, nothing
from pocketlens.recipe_search.inputs import KIND, Inputs
from pocketlens.recipe_search.keep import keep_trial
from pocketlens.recipe_search.latency import (
    FEWEST_NETWORKS,
    FILES_SECONDS,
    QUICK,
    LatencyModel,
    Prediction,
    calibration_students,
)
from pocketlens.recipe_search.notebook import Notebook
from pocketlens.recipe_search.rungs import RungEntry, goes_on, rungs
from pocketlens.recipe_search.space import Candidate, Space
from pocketlens.recipe_search.tasks import Job, MadeFile, Play, Trained

if TYPE_CHECKING:
    import optuna

    from pocketlens.recipe_search.notebook import Direction

Steps = Generator[Task | None, Any, None]
"""A trial on its way: it yields tasks and is sent their answers; None where it waits for another trial."""
TrainingPictures = tuple[tuple[int, int], int, int]
"""Size, number and seed of pictures to train on."""
K = TypeVar("K")
V = TypeVar("V")
MEASURED = BenchmarkSettings()
_MEASURED = "what was measured"


@dataclass
class Trials:
    """What all trials of a search share.

    Attributes:
        inputs: The recipe with its copied files.
        space: What varies.
        notebook: The study.
        devices: Where files are measured.
        budget: That must hold on each.
        folder: The output folder.
        threads: Of torch.
        executor: The address of the cluster that measures; empty for this machine.
        errors: Of the predictions, relative, as they are measured.
        models: The rates of each way to play on each device, as they are calibrated.
        answers: The entries of the teacher's answers, by size, number and seed of the pictures.
        making: The keys of those models and answers that a trial makes just now.
    """

    inputs: Inputs
    space: Space
    notebook: Notebook
    devices: tuple[str, ...]
    budget: PerformanceBudget
    folder: Path
    threads: int
    executor: str = ""
    errors: list[float] = field(default_factory=list)
    models: dict[tuple[str, Play], LatencyModel] = field(default_factory=dict)
    answers: dict[TrainingPictures, str] = field(default_factory=dict)
    making: set[object] = field(default_factory=set)

    @property
    def recipe(self) -> Recipe:
        """That is searched for."""
        return self.inputs.recipe

    def carry_out(self, trial: "optuna.Trial") -> Steps:
        """Carry a trial out; the study is told its end."""
        candidate = self.notebook.patiently(lambda: self.space.draw(trial))
        job = Job(self.inputs, candidate.recipe(self.recipe), self.threads)
        self.notebook.note(trial, "candidate", candidate.text)
        costs: Costs = yield self._task("layers", trial, tasks.costs, job)
        self.notebook.note(trial, "GMACs", round(costs.all_gmacs, 4))
        predicted: dict[str, Prediction] = {}
        for device in self.devices:
            model = yield from self._calibrated(device, candidate)
            predicted[device] = model.predict(costs)
            self.notebook.note(trial, f"{device} predicted p95 ms", float(f"{predicted[device].ms:.4g}"))
        if excess := self._over_budget(predicted):
            self.notebook.constrain(trial, excess)
            figures = ", ".join(f"{device} {guess.ms:.1f} ms" for device, guess in predicted.items())
            self.notebook.give_up(trial, f"not trained: predicted {figures}, budget {self.budget.frame_ms:.1f} ms")
            return
        trained = yield from self._trained(trial, job, tuple(guess.ms for guess in predicted.values()))
        if trained is None:
            return
        made: MadeFile = yield self._task("file", trial, tasks.make_file, job, needs=(trained.entry,), gives=_entry)
        documents: dict[str, Document] = {}
        for device in self.devices:
            documents[device] = yield from self._measured(
                f"measuring on {device}", trial, [made], _play(device, candidate), MEASURED
            )
        self._tell(trial, candidate, job, trained, made, documents, predicted, costs)

    def _trained(
        self, trial: "optuna.Trial", job: Job, costs: tuple[float, ...]
    ) -> Generator[Task | None, Any, Trained | None]:
        """Train rung by rung; None where the trial was given up at one."""
        table, settings = self.recipe.search, job.recipe.compress
        assert settings is not None
        answers = yield from self._answered(trial, job, settings)
        entry: tuple[str, ...] = (answers,)
        for until in [*rungs(trial.number, table.first_rung, settings.steps, table.steps[1]), None]:
            trained: Trained = yield self._task("training", trial, tasks.train, job, until, needs=entry, gives=_entry)
            entry = (answers, trained.entry)
            if until is None:
                return trained
            score = _score_at(trained.history, until)
            name = f"worst SSIM after {until} steps"
            self.notebook.note(trial, name, [score, *costs])
            others = [
                RungEntry(other.number, values[0], tuple(values[1:]))
                for other in self.notebook.trials()
                if (values := other.user_attrs.get(name)) and len(values) == 1 + len(costs)
            ]
            if not goes_on(RungEntry(trial.number, score, costs), others):
                files.remove(files.cache_folder() / trained.entry) if not trained.done else None
                self.notebook.give_up(trial, f"given up after {until} steps: worst SSIM {score:.3f}")
                return None
        raise AssertionError("the last step is no rung")

    def _once(
        self, known: dict[K, V], key: K, make: Callable[[], Generator[Task | None, Any, V]]
    ) -> Generator[Task | None, Any, V]:
        """What trials share: the first one that needs it makes it, and the others wait."""
        while key in self.making:
            yield None
        if key not in known:
            self.making.add(key)
            try:
                known[key] = yield from make()
            finally:
                self.making.discard(key)
        return known[key]

    def _answered(self, trial: "optuna.Trial", job: Job, settings: Compress) -> Generator[Task | None, Any, str]:
        """The entry of the teacher's answers."""

        def ask() -> Generator[Task | None, Any, str]:
            name = "answers of the teacher"
            entry: str = yield self._task(name, trial, tasks.teacher_answers, job, gives=_itself, stays=True)
            return entry

        pictures = (job.recipe.filter.sizes[0], settings.pictures, settings.seed)
        return (yield from self._once(self.answers, pictures, ask))

    def _calibrated(self, device: str, candidate: Candidate) -> Generator[Task | None, Any, LatencyModel]:
        """The rates of the candidate's way to play on a device, measured now where they are not known."""
        play, kind = _play(device, candidate), f"{candidate.target} {candidate.precision}"
        return (yield from self._once(self.models, (kind, play), lambda: self._calibrate(kind, play, candidate)))

    def _calibrate(self, kind: str, play: Play, candidate: Candidate) -> Generator[Task | None, Any, LatencyModel]:
        costs: list[Costs] = []
        made: list[MadeFile] = []
        begun = time.monotonic()
        for settings in calibration_students(self.recipe.search, self.space.students):
            if len(made) >= FEWEST_NETWORKS and time.monotonic() - begun > FILES_SECONDS:
                break
            changed = candidate.recipe(self.recipe).model_copy(update={"compress": settings})
            job = Job(self.inputs, changed, self.threads)
            try:
                costs.append((yield self._task("calibration: layers", None, tasks.costs, job)))
            except InputError:  # no copy is so small
                continue
            file: MadeFile = yield self._task("calibration: file", None, tasks.make_untrained_file, job, gives=_entry)
            made.append(file)
        document = yield from self._measured(f"calibrating {play.device}", None, made, play, QUICK)
        name = f"{file_name(play.device)}-{kind.replace(' ', '-')}-{play.runtime}-{play.threads}"
        files.write(
            self.folder / "calibration" / f"{name}{play.accelerator and '-' + play.accelerator}.json",
            document.to_json(),
        )
        model = LatencyModel(play)
        model.calibrate(costs, document)
        for other in self.notebook.trials():  # of an earlier run of this search, or of another searcher
            known = other.user_attrs.get(_MEASURED)
            if known is None or known["kind"] != kind:
                continue
            for other_play, ms in known["plays"]:
                if Play(**other_play) == play:
                    model.add(f"trial {other.number}", Costs(**known["costs"]), ms)
        return model

    def _measured(
        self, what: str, trial: "optuna.Trial | None", made: list[MadeFile], play: Play, settings: BenchmarkSettings
    ) -> Generator[Task | None, Any, Document]:
        """Files played in turns; the same files in the same way on the same device are measured once."""
        key = stage_key(
            play=asdict(play), files=[file.entry for file in made], settings=asdict(settings), host=machine(),
            where=self.executor,
        )  # fmt: skip
        if entry := files.lookup("measurement", key):
            return Document.read(entry / "document.json")
        needs = tuple(file.entry for file in made)
        task = self._task(what, trial, tasks.measure_files, made, play, settings, device=play.device, needs=needs)
        document = Document.from_json((yield task))
        if not any(result.failure for result in document.results):
            files.cached("measurement", key, lambda folder: document.write(folder / "document.json"))
        return document

    def _over_budget(self, predicted: Mapping[str, Prediction]) -> dict[str, float]:
        """How far predictions are over the budget, where even their lower ends are."""
        limit = self.budget.frame_ms
        if limit is None or all(guess.low <= limit for guess in predicted.values()):
            return {}
        return {f"{device} predicted": guess.ms / limit - 1 for device, guess in predicted.items()}

    def _tell(
        self, trial: "optuna.Trial", candidate: Candidate, job: Job, trained: Trained, made: MadeFile,
        documents: Mapping[str, Document], predicted: Mapping[str, Prediction], costs: Costs,
    ) -> None:  # fmt: skip
        p95 = {device: tasks.p95_of(document)[0] for device, document in documents.items()}
        verdicts = {device: judge_all(document, self.budget) for device, document in documents.items()}
        gates = gates_of(made.scores, made.flicker, self.recipe.gate)
        kind, plays = f"{candidate.target} {candidate.precision}", []
        for device, ms in p95.items():
            play, error = _play(device, candidate), predicted[device].error(ms)
            self.errors.append(error)
            self.notebook.note(trial, f"{device} prediction error", round(error, 4))
            self.models[kind, play].add(f"trial {trial.number}", costs, ms)
            plays.append([asdict(play), ms])
        excess = {f"gate {gate.name}": _excess(gate.actual, gate.limit, gate.verdict) for gate in gates}
        excess |= {
            f"{device} {v.name}": _over(v) for device, of in verdicts.items() for v in of if v.actual is not None
        }
        self.notebook.constrain(trial, excess)
        self.notebook.note(trial, _MEASURED, {"kind": kind, "costs": asdict(costs), "plays": plays})
        values = [made.scores.ssim, *p95.values(), made.bytes / 1e6]
        keep_trial(
            self.folder, trial.number, candidate, job, trained, made, documents,
            {"values": values, "excess": excess, "predicted": predicted, "gmacs": costs.all_gmacs},
        )  # fmt: skip
        self.notebook.complete(trial, values)

    def _task(
        self, what: str, trial: "optuna.Trial | None", call: Any, *arguments: Any, device: str = "",
        needs: tuple[str, ...] = (), gives: Any = nothing, stays: bool = False,
    ) -> Task:  # fmt: skip
        name = what if trial is None else f"trial {trial.number}: {what}"
        inputs = f"{KIND}/{self.inputs.key}"
        return Task(name, call, arguments, device, (inputs, *needs), gives, stays)


def objectives(devices: Sequence[str]) -> "dict[str, Direction]":
    """The objectives of a study, in order."""
    return {"worst SSIM": "maximize", **{f"{device} p95 ms": "minimize" for device in devices}, "MB": "minimize"}


def _play(device: str, candidate: Candidate) -> Play:
    return Play(device, candidate.runtime, candidate.threads, candidate.accelerator)


def _entry(answer: Any) -> tuple[str, ...]:
    return (answer.entry,)


def _itself(answer: str) -> tuple[str, ...]:
    return (answer,)


def _score_at(history: Sequence[Mapping[str, float]], step: int) -> float:
    """The worst SSIM at a step, or at the last one before it."""
    before = [scores for scores in history if scores["step"] <= step] or history[:1]
    return float(before[-1]["worst_ssim"])


def _excess(actual: float, limit: float, verdict: str) -> float:
    """How far a gate is missed, relative to its limit; 0 and below where it holds."""
    distance = abs(actual - limit) / limit
    return -distance if verdict == "pass" else max(distance, 1e-9)


def _over(verdict: BudgetVerdict) -> float:
    assert verdict.actual is not None
    return verdict.actual / verdict.limit - 1
