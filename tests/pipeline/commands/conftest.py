"""Devices, as the tests of the bench have them."""

from tests.bench.devices.phones import lite, phone, server, tool  # noqa: F401 - fixtures
from tests.bench.devices.sshd import sshd  # noqa: F401 - fixture
