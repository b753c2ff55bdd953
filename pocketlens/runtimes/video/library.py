"""PyAV, where it is installed."""

from types import ModuleType

from pocketlens.errors import require


def pyav() -> ModuleType:
    """The module ``av``.

    Raises:
        MissingError: It is not installed; the message names the extra.
    """
    require("av", "video")
    import av

    module: ModuleType = av
    return module
