"""The study: what Optuna keeps of a search, in a journal in the output folder or in a database of a team."""

import time
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pocketlens import files
from pocketlens.errors import InputError, MissingError, require
from pocketlens.progress import Progress, silent

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

    Direction = Literal["minimize", "maximize"]

JOURNAL = "journal.log"
_SEARCHER = "searcher"
_ABOUT = "about"
_AT_RANDOM = 5
"""Trials that TPE draws at random before it learns; Optuna's 10 are most of an hour here."""
_LONGEST_NAME = 64
_MAX_JOURNAL = 500_000_000
"""Largest journal, in bytes: a trial takes some 5,000."""
_PATIENCE_S = 600.0
"""How long a database may be away."""
_ABANDONED = timedelta(minutes=10)
"""A trial that nobody has put a name on for so long was lost between the database and the one who asked for it."""
_Answer = TypeVar("_Answer")


class Notebook:
    """A study with several objectives, which every step is written to at once.

    Args:
        folder: The output folder. It keeps the journal, or for a database who this searcher is.
        name: Of the study.
        storage: The URL of a database; empty for the journal.
        objectives: Name → ``maximize`` or ``minimize``.
        about: What the study is of; another study of the same name is refused.
        sampler: ``tpe`` or ``random``.
        seed: Of all that is drawn. Each trial has its own generator, of the seed and its number, so that a search that
            was killed draws what it would have drawn.
        notify: Told when a database is waited for.

    Raises:
        InputError: The study is of something else; the message names what differs.
        MissingError: Optuna or a database's driver is not installed, or the database cannot be reached.
    """

    def __init__(
        self, folder: Path, name: str, storage: str, objectives: Mapping[str, "Direction"], about: Mapping[str, Any], *,
        sampler: str = "tpe", seed: int = 7, notify: Progress = silent,
    ) -> None:  # fmt: skip
        require("optuna", "search")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._sampler, self._seed, self._notify, self._shared = sampler, seed, notify, bool(storage)
        self.searcher = _searcher(folder)
        self.place = _without_password(storage) if storage else str(folder / JOURNAL)
        opened = _database(storage) if storage else _journal(folder / JOURNAL)
        self.study: optuna.Study
        try:
            self.study = self.patiently(
                lambda: optuna.create_study(
                    storage=opened, study_name=name, directions=list(objectives.values()), load_if_exists=True
                )
            )
            self._check(about)
            self.patiently(lambda: self.study.set_metric_names(list(objectives)))
            self.trials()
        except (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError) as error:
            raise _no_study(self.place, error) from error

    def ask(self) -> "optuna.Trial":
        """A new trial, with this searcher's name on it."""
        self.study.sampler = self._new_sampler(len(self.trials()))
        trial = self.patiently(self.study.ask)
        self.note(trial, _SEARCHER, self.searcher)
        return trial

    def unfinished(self) -> "list[optuna.Trial]":
        """This searcher's trials that were not told, in order: it was stopped or killed while it had them."""
        import optuna

        mine = []
        for frozen in self.trials(optuna.trial.TrialState.RUNNING):
            owner = frozen.user_attrs.get(_SEARCHER)
            if owner == self.searcher or not self._shared:
                self.study.sampler = self._new_sampler(frozen.number)
                mine.append(optuna.Trial(self.study, frozen._trial_id))
            elif owner is None and datetime.now() - (frozen.datetime_start or datetime.now()) > _ABANDONED:
                self.patiently(lambda number=frozen.number: self._tell(number, None, "FAIL"))  # type: ignore[misc]
        return mine

    def trials(self, *states: Any) -> "list[FrozenTrial]":
        """The study's trials of these states, or all, by their numbers."""
        return self.patiently(lambda: self.study.get_trials(deepcopy=False, states=states or None))

    def note(self, trial: "optuna.Trial", name: str, value: Any) -> None:
        """Write something about a trial, which optuna-dashboard shows."""
        self.patiently(lambda: trial.set_user_attr(name, value))

    def constrain(self, trial: "optuna.Trial", excesses: Mapping[str, float]) -> None:
        """Write how far a trial is beyond each limit; 0 and below hold it."""
        known = self.patiently(lambda: trial.constraints)
        for name, excess in excesses.items():
            if name not in known:
                self.patiently(lambda name=name, excess=excess: trial.set_constraint(name, excess))  # type: ignore[misc]

    def complete(self, trial: "optuna.Trial", values: Sequence[float]) -> None:
        """Tell a trial's objectives, in the study's order."""
        self.patiently(lambda: self._tell(trial.number, values, "COMPLETE"))

    def give_up(self, trial: "optuna.Trial", why: str) -> None:
        """Tell that a trial was not carried out to its end."""
        self.note(trial, "why it ended", why)
        self.patiently(lambda: self._tell(trial.number, None, "PRUNED"))

    def fail(self, trial: "optuna.Trial", why: str) -> None:
        """Tell that a candidate cannot be made. Samplers learn nothing from failed trials, so it is told as one that is
        given up and breaks a limit: else the same would be drawn again and again.
        """
        self.constrain(trial, {"cannot be made": 1.0})
        self.give_up(trial, f"failed: {why}")

    def _tell(self, number: int, values: Sequence[float] | None, state: str) -> None:
        import optuna

        # Skipped where it was told already: the answer to the first try may be what was lost.
        self.study.tell(number, values, optuna.trial.TrialState[state], skip_if_finished=True)

    def _new_sampler(self, number: int) -> "optuna.samplers.BaseSampler":
        import optuna

        # Searchers of one database must not draw the same.
        drawn_by = self.searcher if self._shared else ""
        seed = int(files.key_of(seed=self._seed, trial=number, searcher=drawn_by)[:8], 16)
        if self._sampler == "random":
            return optuna.samplers.RandomSampler(seed)
        return optuna.samplers.TPESampler(multivariate=True, group=True, n_startup_trials=_AT_RANDOM, seed=seed)

    def _check(self, about: Mapping[str, Any]) -> None:
        known = self.patiently(lambda: self.study.user_attrs).get(_ABOUT)
        if known is None:
            self.patiently(lambda: self.study.set_user_attr(_ABOUT, dict(about)))
            return
        other = [name for name in about if not isinstance(known, dict) or known.get(name) != about[name]]
        if other:
            raise InputError(
                f"the study in {self.place} is of {'other ' if len(other) == 1 else 'another '}{', '.join(other)}",
                do="choose another output folder or database, or search with what it was begun with",
            )

    def patiently(self, call: Callable[[], _Answer]) -> _Answer:
        """What a call gives; a database that goes away is waited for."""
        from optuna.exceptions import StorageInternalError

        began, pause = time.monotonic(), 0.5
        while True:
            try:
                return call()
            except StorageInternalError as error:
                waited = time.monotonic() - began
                if waited > _PATIENCE_S:
                    raise MissingError(
                        f"the database {self.place} has been away for {waited:.0f} s; nothing is lost",
                        do="start it again, then the same command: the search goes on where it was",
                    ) from error
                self._notify(f"waiting for the database {self.place}: {waited:.0f} s", 0, 1)
                time.sleep(pause)
                pause = min(2 * pause, 10.0)
            except OSError as error:
                raise InputError(
                    f"the study in {self.place} cannot be written: {error.strerror or error}",
                    do="free some space, then run the same command: the search goes on where it was",
                ) from error


def _searcher(folder: Path) -> str:
    """The name of the searcher that works in this folder: made once, kept beside its trials."""
    path = files.own(folder / "searcher")
    if not path.exists():
        files.write(path, uuid.uuid4().hex)
    with path.open(errors="replace") as file:
        name = file.read(_LONGEST_NAME)
    if not name.isalnum():
        raise InputError(f"{path} does not name a searcher", do="remove it, or choose another output folder")
    return name


def _journal(path: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    do = "choose another output folder"
    if files.own(path).exists():
        if path.stat().st_size > _MAX_JOURNAL:
            raise InputError(f"{path} is larger than {_MAX_JOURNAL:,} bytes", do=do)
        _drop_half_line(path)
    lock = path.with_name(f"{JOURNAL}.lock")
    try:
        lock.unlink(missing_ok=True)  # of a searcher that was killed; nobody else searches in this folder
    except OSError as error:
        raise InputError(f"{lock} cannot be removed: {error.strerror}", do=do) from error
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    # Optuna believes what it reads: a line that it has not written fails wherever its code first trips over it.
    except Exception as error:
        raise _no_study(str(path), error) from error


def _no_study(place: str, error: Exception) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return InputError(f"{place} is no journal of a search: {reason}", do="choose another output folder or database")


def _drop_half_line(path: Path) -> None:
    """A full disk or a kill may have left half of the last line; the next one would be written behind it."""
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _database(url: str) -> "BaseStorage":
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    if url.startswith(("postgres://", "postgresql://")):
        url = f"postgresql+psycopg://{url.partition('://')[2]}"
    try:
        return RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    # SQLAlchemy gives every part of an address to a number, a codec or a driver as it stands.
    except (ArgumentError, NoSuchModuleError, ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{_without_password(url)} is no address of a database",
            do="for instance --storage postgresql://user:password@host/name",
        ) from error
    except ImportError as error:  # Optuna's own names no module; what it was raised from does
        driver = error.name or getattr(error.__cause__, "name", None) or "the driver of this database"
        do = "install it, or take PostgreSQL: pip install 'pocketlens[cluster]'"
        raise MissingError(f"{driver} is not installed", do=do) from error
    except SQLAlchemyError as error:
        reason = (str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise MissingError(
            f"the database {_without_password(url)} cannot be reached: {reason}",
            do="check that it runs, and its address",
        ) from error


def _without_password(url: str) -> str:
    """The address without what may be secret: the password, and every option behind ``?``, which can be one, too."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).set(query={}).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return "what --storage gives"
