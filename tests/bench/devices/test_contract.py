"""What every device must do. A new one is added to the fixture below."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from pocketlens.bench.case import BenchmarkCase
from pocketlens.bench.devices.device import Device
from pocketlens.bench.devices.local import Local
from pocketlens.bench.document import BenchmarkSettings, Document
from pocketlens.bench.measure import measure
from tests.bench.cases import QUICK
from tests.bench.devices.browsers import browser_device, started
from tests.bench.devices.phones import device_of

SETTINGS = replace(QUICK, count=6)
DEVICES = ("local", "ssh", "adb", "adb with benchmark_model", "web")


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Iterator[Callable[[], Device]]:
    if request.param == "web":
        with started() as browser:
            yield lambda: browser_device(browser)
    else:
        yield _opener(request)


def _opener(request: pytest.FixtureRequest) -> Callable[[], Device]:
    if request.param == "local":
        return Local
    if request.param == "ssh":
        return request.getfixturevalue("sshd").device  # type: ignore[no-any-return]
    phone = request.getfixturevalue("phone")
    tool = request.getfixturevalue("tool") if "benchmark_model" in request.param else None
    return lambda: device_of(phone, tool)


def test_a_case_is_checked_and_timed(device: Callable[[], Device], lite: BenchmarkCase) -> None:
    reached = device()
    assert reached.missing("litert") == "" and reached.missing("coreml")
    document = measure([lite], SETTINGS, device=reached)
    (result,) = document.results
    assert result.failure is None and result.skipped is None
    assert result.check is not None and result.check.holds
    assert result.timing is not None and result.timing.load_ms > 0 and result.timing.first_ms > 0
    assert sum(len(block.frame_ms) for block in result.blocks) >= SETTINGS.count
    assert result.memory is not None or reached.name.startswith("web:")  # a browser does not tell
    environment = document.environment
    assert environment.device == reached.name and environment.host.cores >= 1 and environment.host.machine
    assert Document.from_json(document.to_json()) == document
    reached.close()


def test_an_error_in_one_case_affects_no_other(device: Callable[[], Device], lite: BenchmarkCase) -> None:
    assert lite.expected is not None
    wrong = replace(lite, artifact="wrong", expected=255 - lite.expected)
    other_size = replace(lite, artifact="size", picture=np.zeros((32, 32, 3), np.uint8), expected=None)
    first, second, third = measure([wrong, other_size, lite], SETTINGS, device=device()).results
    assert first.failure is not None and "the picture is wrong" in first.failure and not first.blocks
    assert second.failure is not None and "64 x 64" in second.failure
    assert third.failure is None and third.blocks


def test_sustained_is_one_after_the_other_with_looks_between(device: Callable[[], Device], lite: BenchmarkCase) -> None:
    settings = BenchmarkSettings(
        seconds=0.05, count=6, block_seconds=0.01, warm_seconds=0.1, sustained=True, cooldown_seconds=0.01
    )
    document = measure([lite, replace(lite, artifact="again", threads=2)], settings, device=device())
    first, second = document.results
    assert first.failure is None and second.failure is None
    assert first.blocks[-1].at_s < second.blocks[0].at_s
    assert document.environment.during
