"""Artifacts to measure, devices to measure on, and what a report is made of."""

from collections.abc import Callable

import pytest

from pocketlens.bench.case import BenchmarkCase
from tests.bench.cases import SmallArtifacts, emit_small_artifacts
from tests.bench.devices.phones import lite, phone, server, tool  # noqa: F401 - fixtures
from tests.bench.devices.sshd import sshd  # noqa: F401 - fixture
from tests.bench.report_fixtures import manifest, measured, shown  # noqa: F401 - fixtures
from tests.bundle.conftest import bundle, edit, emitted, full_spec, golden, spec, zipped  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallArtifacts:
    return emit_small_artifacts(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def make_case(small: SmallArtifacts) -> Callable[..., BenchmarkCase]:
    return small.make_case
