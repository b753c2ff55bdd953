"""For every test: a cache of its own. For the examples in docstrings: a folder with a recipe, its bundle and a
picture.
"""

import os
from pathlib import Path

import pytest
from _pytest.doctest import DoctestItem
from hypothesis import settings

settings.register_profile("pocketlens", deadline=None)  # no test is timed: a busy machine is not a fault
settings.load_profile("pocketlens")

SLOW = Path(__file__).parent / "tests/slow.txt"
"""What ``--quick`` leaves out: files, or tests of a file, that took more than a second of a processor; one a line."""

LONGEST = (
    "tests/bench/test_multi_device.py", "tests/recipe_search/test_command.py", "tests/pipeline/commands/test_build.py",
    "tests/bench/devices/test_contract.py", "tests/attacks/test_kill.py", "tests/pipeline/test_sizes.py",
    "tests/bench/devices/test_ssh.py", "tests/recipe_search/test_cluster.py", "tests/web/test_firefox.py",
    "tests/bench/devices/test_hostile.py", "tests/conformance/test_values.py", "tests/attacks/test_fuzz.py",
    "tests/bench/devices/test_adb.py", "tests/conformance/test_structure.py", "tests/converters/test_prepare.py",
    "tests/cli/test_hostile_device.py", "tests/runtimes/test_suite.py", "tests/runtimes/test_pi.py",
    "tests/pipeline/commands/test_optimize_on_devices.py", "tests/pipeline/commands/test_train.py",
    "tests/models/test_fingerprint.py", "tests/targets/test_suite.py",
)  # fmt: skip
"""Files that begin before all others, so that what ends last is short: a process that is left alone with a long file
leaves a core idle. Every third one mostly waits for devices; the two beside it compute."""

RECIPE = """
[filter]
name = "wave"
source = "wave.onnx"
sizes = [[32, 48]]
input_range = [-1, 1]
output_range = [-1, 1]
license = "MIT"
[targets]
onnx = ["fp16"]
tflite = ["fp16"]
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """For the edit loop: ``make test-quick``."""
    parser.addoption("--quick", action="store_true", help="leave out what tests/slow.txt names")


def pytest_configure() -> None:
    """Two workers share two cores: threads of one would only wait for the other's. Before torch and numpy load."""
    for pool in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    os.environ.setdefault("POCKETLENS_HELPERS", "0")  # nor are there cores for helpers, which know of no patch


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files; deselect what is slow where ``--quick`` asks for it."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
    if not config.getoption("--quick"):
        return
    slow = tuple(SLOW.read_text().splitlines())
    left_out = [item for item in items if item.nodeid.startswith(slow)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.nodeid.startswith(slow)]


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that a user has cached may decide a test, and no test may fill a user's cache. Workers share
    what they build.
    """
    base = tmp_path_factory.getbasetemp()
    session = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    os.environ["POCKETLENS_CACHE"] = str(session / "cache")


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built once, and only when a docstring is run."""
    import torch

    import pocketlens
    from tests.generators import seeded

    folder = tmp_path_factory.mktemp("examples")
    torch.onnx.export(seeded(), (torch.zeros(1, 3, 32, 48),), str(folder / "wave.onnx"), dynamo=True, verbose=False)
    (folder / "wave.toml").write_text(RECIPE)
    pocketlens.build(folder / "wave.toml", folder / "wave.bundle", bench=False)
    return folder


@pytest.fixture(autouse=True)
def _in_the_example_folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(request.node, DoctestItem):
        return
    from tests.generators import picture

    if any("wave." in example.source for example in request.node.dtest.examples):
        monkeypatch.chdir(request.getfixturevalue("example_folder"))
    request.getfixturevalue("doctest_namespace")["picture"] = picture(32, 48)
