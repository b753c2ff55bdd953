"""Bundles to attack."""

from tests.bundle.conftest import bundle, edit, emitted, golden, spec, zipped  # noqa: F401 - fixtures
