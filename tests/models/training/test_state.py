"""A training that is killed and resumed ends with the same weights as one that is not."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pocketlens.errors import InputError
from pocketlens.models.training.loop import Schedule, run_training, seed_everything
from tests.models.training.doubling import SCHEDULE, DoublingTask, train


def test_a_seed_gives_the_same_weights_and_training_learns() -> None:
    first, errors = train(None)
    again, _ = train(None)
    assert first == again
    assert errors[-1] < errors[0] / 4


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    code = "from tests.models.training.doubling import train; from pathlib import Path; "
    code += f"train(Path({str(tmp_path)!r}), 37)"
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert sorted(p.name for p in tmp_path.iterdir()) == ["training.safetensors"]
    resumed, errors = train(tmp_path)
    straight, expected = train(None)
    assert resumed == straight
    assert errors == expected


@pytest.mark.parametrize(
    ("schedule", "key", "says"),
    [
        (SCHEDULE, "another key", "another training"),
        (replace(SCHEDULE, seed=8), "key", "another training"),
        (replace(SCHEDULE, steps=40), "key", "60 steps, and 40 are asked for"),
    ],
)
def test_a_training_is_not_replaced_by_another_or_a_shorter_one(
    tmp_path: Path, schedule: Schedule, key: str, says: str
) -> None:
    train(tmp_path)
    kept = (tmp_path / "training.safetensors").read_bytes()
    with pytest.raises(InputError, match=says):
        run_training(DoublingTask(), schedule, seed_everything(schedule), tmp_path, key)
    assert (tmp_path / "training.safetensors").read_bytes() == kept


def test_a_training_that_diverges_is_stopped_before_it_is_kept(tmp_path: Path) -> None:
    task = DoublingTask()
    task.update = lambda step, random: float("nan") if step == 12 else 1.0  # type: ignore[method-assign]
    with pytest.raises(InputError, match="nan at step 13"):
        run_training(task, SCHEDULE, seed_everything(SCHEDULE), tmp_path, "key")
    task.update = lambda step, random: float(step)  # type: ignore[method-assign]
    seen: list[str] = []
    run_training(task, SCHEDULE, seed_everything(SCHEDULE), tmp_path, "key", lambda what, *_: seen.append(what))
    assert seen[0] == "resumed at step 10"


@pytest.mark.parametrize(("steps", "updates"), [(80, 20), (60, 0)])
def test_a_training_goes_on_when_it_becomes_longer(tmp_path: Path, steps: int, updates: int) -> None:
    train(tmp_path)
    schedule = replace(SCHEDULE, steps=steps)
    random, task, seen = seed_everything(schedule), DoublingTask(), list[int]()
    update = task.update
    task.update = lambda step, random: (seen.append(step), update(step, random))[1]  # type: ignore[method-assign]
    result = run_training(task, schedule, random, tmp_path, "key")
    assert len(seen) == updates
    assert [scores["step"] for scores in result.history] == list(range(10, steps + 1, 10))


def test_a_damaged_state_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    train(tmp_path)
    place = tmp_path / "training.safetensors"
    place.write_bytes(place.read_bytes()[:-50])
    with pytest.raises(InputError, match="cannot be resumed"):
        train(tmp_path)
