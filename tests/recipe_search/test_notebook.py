"""The study: in a journal, and in a PostgreSQL of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketlens.errors import InputError, MissingError, PocketlensError
from pocketlens.recipe_search.notebook import JOURNAL, Notebook

pytest.importorskip("optuna", reason="pip install 'pocketlens[search]'")
OBJECTIVES = {"worst SSIM": "maximize", "local p95 ms": "minimize"}


def open_notebook(folder: Path, storage: str = "", **about: object) -> Notebook:
    folder.mkdir(exist_ok=True)
    return Notebook(folder, "wave", storage, OBJECTIVES, {"pictures": "a", **about})


def draw(notebook: Notebook) -> tuple[int, int]:
    trial = notebook.ask()
    width = trial.suggest_int("width", 1, 10**6)
    notebook.complete(trial, [width / 1e6, 1.0])
    return trial.number, width


def test_what_is_drawn_does_not_depend_on_kills(tmp_path: Path) -> None:
    through = open_notebook(tmp_path / "through")
    expected = [draw(through) for _ in range(14)]
    assert [draw(open_notebook(tmp_path / "killed")) for _ in range(14)] == expected


def test_a_trial_that_was_not_told_is_taken_up_again(tmp_path: Path) -> None:
    trial = open_notebook(tmp_path / "a").ask()
    width = trial.suggest_int("width", 1, 10**6)
    (again,) = open_notebook(tmp_path / "a").unfinished()
    assert (again.number, again.suggest_int("width", 1, 10**6)) == (trial.number, width)


def test_half_a_line_of_a_full_disk_is_dropped(tmp_path: Path) -> None:
    notebook = open_notebook(tmp_path / "a")
    draw(notebook)
    with (tmp_path / "a" / JOURNAL).open("a") as file:
        file.write('{"op_code": 4, "worker')
    again = open_notebook(tmp_path / "a")
    assert len(again.trials()) == 1
    draw(again)
    assert len(open_notebook(tmp_path / "a").trials()) == 2


@pytest.mark.parametrize(
    "lines",
    [
        '{"op_code":99,"worker_id":"x"}\n',
        '{"op_code":4}\n',
        "[]\n",
        "{\n{}\n",
        "[" * 100_000 + "\n",
        '{"op_code":2,"worker_id":"x","study_id":0,"user_attr":' + '{"a":' * 900 + "1" + "}" * 901 + "\n",
        '{"op_code":4,"worker_id":"x","study_id":0,"datetime_start":"yesterday"}\n',
        '{"op_code":2,"worker_id":"x","study_id":0,"user_attr":{"about":[1]}}\n',
    ],
)
def test_a_journal_of_somebody_else(tmp_path: Path, lines: str) -> None:
    open_notebook(tmp_path / "a")
    with (tmp_path / "a" / JOURNAL).open("a") as file:
        file.write(lines)
    with pytest.raises(InputError, match=r"is no journal|is of"):
        open_notebook(tmp_path / "a")


def test_a_study_of_other_objectives(tmp_path: Path) -> None:
    open_notebook(tmp_path / "a")
    with pytest.raises(InputError, match="number of objectives"):
        Notebook(tmp_path / "a", "wave", "", {"MB": "minimize"}, {"pictures": "a"})


@pytest.mark.parametrize("name", [JOURNAL, "searcher"])
def test_links_and_pipes_in_the_folder(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("unchanged")
    for place, put in ((tmp_path / "a", lambda path: path.symlink_to(precious)), (tmp_path / "b", os.mkfifo)):
        place.mkdir()
        put(place / name)
        with pytest.raises(InputError, match=r"is a (link|pipe)"):
            open_notebook(place)
    assert precious.read_text() == "unchanged"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(line, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    notebook = open_notebook(small_disk / "a")
    told, filler = [draw(notebook)], small_disk / "filler"
    trial = notebook.ask()
    filler.write_bytes(bytes(2**14))
    with pytest.raises(InputError, match=r"cannot be written: No space left on device"):
        for number in range(2000):
            notebook.note(trial, f"note {number}", "x" * 100)
    filler.unlink()
    again = open_notebook(small_disk / "a")
    assert [t.number for t in again.unfinished()] == [trial.number]
    again.complete(again.unfinished()[0], [0.5, 1.0])
    assert [(t.number, t.params.get("width")) for t in again.trials()][: len(told)] == told


def test_another_study_is_refused(tmp_path: Path) -> None:
    open_notebook(tmp_path / "a")
    with pytest.raises(InputError, match=r"is of other pictures"):
        open_notebook(tmp_path / "a", pictures="b")


def test_an_address_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no address of a database"):
        open_notebook(tmp_path / "a", "no database")
    with pytest.raises(MissingError, match=r"postgresql\+psycopg://me:\*\*\*@127.0.0.1:1/x cannot be reached"):
        open_notebook(tmp_path / "a", "postgresql://me:secret@127.0.0.1:1/x")


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@[::1/x",
        "postgresql://\ud800:secret@127.0.0.1:1/x",
        "postgresql://127.0.0.1:1/x?user=me&password=secret",
        "sqlite:///x?cached_statements=99999999999999999999&key=secret",
        "sqlite:///\ud800",
    ],
)
def test_an_address_with_a_part_that_cannot_be_used(tmp_path: Path, address: str) -> None:
    with pytest.raises(PocketlensError, match=r"no address of a database|cannot be reached") as error:
        open_notebook(tmp_path / "a", address)
    assert "secret" not in str(error.value)


def test_a_driver_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="oracledb is not installed"):
        open_notebook(tmp_path / "a", "oracle://me:secret@127.0.0.1/x")


class Postgres:
    """A server in a folder, as another user than root."""

    def __init__(self, folder: Path) -> None:
        self.data, self.log = folder / "data", folder / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://tester@127.0.0.1:{self.port}/postgres"
        self.folder = folder
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self._run("initdb", "-D", str(self.data), "-U", "tester", "--auth=trust")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.log), "-w", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        where = Path(shutil.which("pg_ctl") or "").resolve().parent / program
        user = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
        done = subprocess.run(
            [str(where), *arguments], capture_output=True, text=True, cwd=self.folder, check=False, **user
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    import tempfile

    if shutil.which("pg_ctl") is None:
        pytest.skip("apt install postgresql; pg_ctl must be on the PATH")
    pytest.importorskip("psycopg", reason="pip install 'pocketlens[cluster]'")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # nobody may enter it, unlike pytest's
    server = Postgres(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_a_team_shares_a_study_in_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    first, second = (open_notebook(tmp_path / name, postgres.url) for name in ("first", "second"))
    drawn = [draw(notebook) for notebook in (first, second, first, second)]
    assert [number for number, _ in drawn] == [0, 1, 2, 3]
    assert len({width for _, width in drawn}) == 4
    left = first.ask()
    assert second.unfinished() == []
    (taken_up,) = open_notebook(tmp_path / "first", postgres.url).unfinished()
    assert taken_up.number == left.number
    first.complete(left, [0.5, 1.0])


def test_a_database_that_goes_away_is_waited_for(postgres: Postgres, tmp_path: Path) -> None:
    heard = list[str]()
    notebook = Notebook(tmp_path, "waiting", postgres.url, OBJECTIVES, {}, notify=lambda what, *_: heard.append(what))
    trial = notebook.ask()
    postgres.stop()
    back = threading.Thread(target=lambda: (time.sleep(1.5), postgres.start()))
    back.start()
    notebook.constrain(trial, {"budget": -0.1})
    notebook.complete(trial, [0.5, 1.0])
    back.join()
    assert heard
    assert "tester@127.0.0.1" in heard[0]
    assert [(t.number, t.values, t.constraints) for t in notebook.trials()] == [(0, [0.5, 1.0], {"budget": -0.1})]


def test_what_cannot_be_made_is_drawn_less(tmp_path: Path) -> None:
    notebook, drawn = open_notebook(tmp_path / "a"), []
    for _ in range(40):
        trial = notebook.ask()
        drawn.append(trial.suggest_float("share", 0.0, 1.0))
        if drawn[-1] < 0.5:
            notebook.fail(trial, "no copy is so small")
        else:
            notebook.complete(trial, [drawn[-1], 1.0 + drawn[-1]])
    assert sum(share < 0.5 for share in drawn[-20:]) <= 5
