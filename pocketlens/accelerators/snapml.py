"""SnapML, which runs networks in Snapchat's lenses, by Snap's own table: which operators are not accelerated."""

from importlib.util import find_spec

from pocketlens.accelerators import Answer, Request
from pocketlens.accelerators.rules import SNAPML, judge
from pocketlens.errors import InputError, MissingError

NAME = "snapml"


def missing() -> MissingError | None:
    """Why a graph cannot be read here; None where it can."""
    if find_spec("onnx") is None:
        return MissingError("onnx is not installed", do="pip install 'pocketlens[build]'")
    return None


def version() -> str:
    """What judges."""
    return "published rules"


def place(request: Request) -> Answer:
    """Read the operators and judge them; nothing is executed.

    Raises:
        InputError: The file is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.load(str(request.path), load_external_data=False)
    except (DecodeError, OSError) as error:
        raise InputError(f"{request.path} is not a readable ONNX file: {error}", do="check that it is whole") from error
    return judge(NAME, SNAPML, list(dict.fromkeys(node.op_type for node in model.graph.node)))
