"""Helpers make what the build would make, and cost nothing but their work when they are gone."""

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pocketlens import machine
from pocketlens.converters.emitter import Labels
from pocketlens.errors import InputError
from pocketlens.files import sha256
from pocketlens.models.source import wrap
from pocketlens.pipeline import helpers
from pocketlens.pipeline.compile import base_graph
from pocketlens.pipeline.eval_set import EvalSet
from pocketlens.pipeline.evaluation import Evaluation
from pocketlens.pipeline.forms import ArtifactRequest, first_form
from pocketlens.pipeline.helpers import Helpers, Locks, helper_count
from pocketlens.recipe import Accelerators, Quantize
from tests.generators import SIGNED, picture, seeded

SIZE = (32, 48)
TARGETS = {"onnx": ["fp32"], "openvino": ["fp32"]}
EVAL_SET = EvalSet(("a",), (picture(*SIZE),), calibration=(picture(*SIZE, 7),), clip=(picture(*SIZE, 3),) * 2)


def requests(targets: dict[str, list[str]]) -> list[ArtifactRequest]:
    """Of a module in this process's memory, which no other process could load."""
    source = wrap(seeded(), "small", ranges=(SIGNED.input, SIGNED.output), size=SIZE)
    evaluation = Evaluation.prepare(source, EVAL_SET, Labels("small"))
    specs = evaluation.specs(targets)
    graph = base_graph(evaluation, specs).path
    return [ArtifactRequest(evaluation, graph, spec, (), Quantize()) for spec in specs]


def wait_until(holds: Callable[[], object]) -> None:
    end_s = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_helper_makes_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "helped"))
    with Helpers(1, list(TARGETS), Accelerators()) as running:
        (process, _), *_ = running._running
        asked = requests(TARGETS)
        running.give(asked)
        wait_until(lambda: list((tmp_path / "helped/artifact").glob("*/sha256")))
    assert process.returncode == 0
    (ahead,) = (tmp_path / "helped/artifact").glob("*/content/*.xml")  # it begins with the second target
    monkeypatch.setenv("POCKETLENS_CACHE", str(tmp_path / "alone"))
    alone = first_form(requests(TARGETS)[1]).emit().path
    assert [sha256(file) for file in (ahead, ahead.with_suffix(".bin"))] == [
        sha256(file) for file in (alone, alone.with_suffix(".bin"))
    ]
    assert ahead.parents[1].name == alone.parents[1].name  # so that the build finds it


def test_without_its_helper_a_build_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "_free_memory", lambda: 1 << 40)
    with Helpers(1, list(TARGETS), Accelerators()) as running:
        (process, _), *_ = running._running
        process.kill()
        process.wait()
        asked = requests({"onnx": ["fp32"]})
        running.give(asked)
        with running.lock(asked[0].spec, "made"):
            assert first_form(asked[0]).emit().path.exists()


def test_a_helper_ends_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helpers, "_free_memory", lambda: -1)  # a container may be over its limit for a moment
    assert helpers._helpers_that_fit() == 0
    monkeypatch.setattr(helpers, "_free_memory", lambda: 1 << 20)
    with Helpers(1, list(TARGETS), Accelerators()) as running:
        (process, _), *_ = running._running
        running.give(requests({"onnx": ["fp32"]}))
        assert process.returncode is not None and not running._running


def test_a_helper_that_waits_for_work_ends_at_once() -> None:
    """By itself, so that it deletes what it has begun, and not when its time is over."""
    with Helpers(1, list(TARGETS)) as running:
        (process, _), *_ = running._running
        own, spent = psutil.Process(process.pid), [0.0]

        def waits() -> bool:
            time.sleep(0.3)
            spent.append(own.cpu_times().user)
            return own.num_threads() > 1 and spent[-1] == spent[-2] > 0.5

        wait_until(waits)
    assert process.returncode == 0


def test_a_lock_is_waited_for_and_ends_with_its_process() -> None:
    descriptor = os.memfd_create("locks")
    locks, place = Locks(descriptor), 2 * 3
    code = (
        f"import fcntl, time; fcntl.lockf({descriptor}, fcntl.LOCK_EX, 1, {place}); print(flush=True); time.sleep(60)"
    )
    line = [sys.executable, "-I", "-c", code]
    with subprocess.Popen(line, pass_fds=[descriptor], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        with locks.held(3, "made", wait=False) as held:
            assert not held
        with locks.held(3, "placed", wait=False) as placed, locks.held(4, "made", wait=False) as next_one:
            assert placed and next_one
        threading.Timer(0.2, other.kill).start()
        with locks.held(3, "made", wait=True) as held:
            assert held and other.wait() != 0
    os.close(descriptor)


def test_what_a_helper_gets_holds_pictures_and_no_generator() -> None:
    (request,) = helpers._without_generator(requests({"onnx": ["int8"]}))
    evaluation = pickle.loads(pickle.dumps(request)).evaluation
    assert {"teacher_outputs", "clip"} <= vars(evaluation).keys()
    with pytest.raises(InputError, match="no generator"):
        evaluation.source.load()


def test_there_are_as_many_as_cores_targets_threads_and_the_limit_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 3)
    monkeypatch.delenv(helpers.LIMIT)
    targets = ["onnx", "openvino", "tflite", "coreml"]
    assert [helper_count(targets[:n], 2) for n in range(5)] == [0, 0, 1, 2, 2]
    assert helper_count(targets, 1) == 0
    for limit, count in (("0", 0), ("1", 1), ("9", 2), ("", 2)):
        monkeypatch.setenv(helpers.LIMIT, limit)
        assert helper_count(targets, 2) == count
    monkeypatch.setenv(helpers.LIMIT, "some")
    with pytest.raises(InputError, match="some"):
        helper_count(targets, 2)
