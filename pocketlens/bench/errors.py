"""What can go wrong with devices and the workers on them; each costs no more than its docstring says."""

from pocketlens.errors import PocketlensError


class WorkerError(PocketlensError):
    """A worker answered with an error, ended, or did not answer in time. Only its own case fails."""

    exit_code = 3


class LostError(WorkerError):
    """The connection to a device was lost. That is no fault of the worker, and worth another try."""


class AnswerError(PocketlensError):
    """A device sent what is no answer: another type, a time that cannot be, a flood. The whole device fails.

    Nothing else that it says is believed either, so this is no :class:`WorkerError`.
    """

    exit_code = 3
