import sys

import pytest

from pocketlens.bench.channel import Channel
from pocketlens.bench.errors import AnswerError, WorkerError
from pocketlens.errors import MissingError


def channel(script: str) -> Channel:
    return Channel([sys.executable, "-c", script])


ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def test_question_and_answer() -> None:
    worker = channel(ECHO)
    try:
        assert worker.ask({"do": "a", "x": "ü\n"}, 30) == {"do": "a", "x": "ü\n"}
        assert worker.ask({"do": "b"}, 30) == {"do": "b"}
    finally:
        worker.close()
        worker.close()
    assert worker.process.poll() is not None


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise SystemExit('cannot go on')", "exit code 1 .cannot go on"),
        ("import os; os.abort()", "killed by SIGABRT"),
        ("input(); raise RuntimeError('boom')", "RuntimeError: boom"),
        ("input(); print('INFO: hello', flush=True); input()", "not readable JSON"),
        ("import time; time.sleep(600)", "no answer to 'go' within 0.5 s"),
        ('input(); print(\'{"error": "no"}\', flush=True); input()', "no"),
    ],
)
def test_every_way_to_go_wrong_costs_one_worker(script: str, message: str) -> None:
    worker = channel(script)
    try:
        with pytest.raises(AnswerError if "JSON" in message else WorkerError, match=message):
            worker.ask({"do": "go"}, 0.5 if "sleep" in script else 30)
    finally:
        worker.close()
    assert worker.process.poll() is not None


def test_what_is_missing_there_is_missing() -> None:
    worker = channel('input(); print(\'{"error": "no litert", "missing": true}\', flush=True); input()')
    try:
        with pytest.raises(MissingError, match="no litert"):
            worker.ask({"do": "go"}, 30)
    finally:
        worker.close()


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(WorkerError, match="cannot be started"):
        Channel(["/nowhere/ssh"])
