"""A trial's steps, whose tasks are answered by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pocketlens.bench.budget import PerformanceBudget
from pocketlens.errors import InputError
from pocketlens.models.source import resolve
from pocketlens.phones.layers import Costs
from pocketlens.recipe import Recipe
from pocketlens.recipe_search import trial
from pocketlens.recipe_search.inputs import Inputs
from pocketlens.recipe_search.space import Space
from pocketlens.recipe_search.tasks import Job
from pocketlens.recipe_search.trial import Trials
from tests.recipe_search.conftest import write_recipe
from tests.recipe_search.test_space import RECIPE, Last


def _trials(folder: Path) -> Trials:
    write_recipe(folder, RECIPE)
    recipe = Recipe.read(folder / "tiny.toml")
    space = Space(recipe, resolve("t.safetensors", base=folder))
    return Trials(Inputs("key", recipe, "pictures"), space, cast(Any, None), ("local",), PerformanceBudget(), folder, 1)


@pytest.mark.parametrize(("seconds", "networks"), [(0.0, 3), (60.0, 12)])
def test_a_calibration_ends_with_the_networks_that_fit_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, networks: int
) -> None:
    monkeypatch.setattr(trial, "FILES_SECONDS", seconds)
    trials = _trials(tmp_path)
    candidate = trials.space.draw(Last(student="pocket"))
    steps = trials._calibrate("onnx int8", trial._play("local", candidate), candidate)
    task, made = next(steps), 0
    while task is not None and not task.name.startswith("calibrating"):
        is_file = task.name == "calibration: file"
        made += is_file
        task = steps.send(SimpleNamespace(entry=f"file/{made}") if is_file else Costs(0.1, 0.1, 0.0, 1.0, 1.0, 0.1, 10))
    assert made == networks


def test_one_trial_asks_the_teacher_and_the_others_wait_for_it(tmp_path: Path) -> None:
    trials, number = _trials(tmp_path), cast(Any, SimpleNamespace(number=3))
    settings = trials.space.draw(Last(student="pocket")).compress
    job = Job(trials.inputs, trials.recipe, 1)
    first, second = (trials._answered(number, job, settings) for _ in range(2))
    asked = next(first)
    assert asked is not None and asked.name == "trial 3: answers of the teacher"
    assert next(second) is None
    with pytest.raises(StopIteration) as ended:
        first.send("answers/key")
    assert ended.value.value == "answers/key"
    with pytest.raises(StopIteration) as told:
        next(second)
    assert told.value.value == "answers/key"


def test_where_asking_the_teacher_fails_the_next_trial_asks(tmp_path: Path) -> None:
    trials, number = _trials(tmp_path), cast(Any, SimpleNamespace(number=3))
    settings = trials.space.draw(Last(student="pocket")).compress
    job = Job(trials.inputs, trials.recipe, 1)
    first, second = (trials._answered(number, job, settings) for _ in range(2))
    next(first)
    assert next(second) is None
    with pytest.raises(InputError):
        first.throw(InputError("the worker was lost"))
    assert next(second) is not None
