"""Headless Chromium as the phone of ``web:``: it opens the address that the device announces."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from pocketlens.bench.devices.web import WebDevice, open_web
from pocketlens.errors import MissingError
from pocketlens.web import chromium


def browser_device(browser: chromium.Chromium, name: str = "web:localhost") -> WebDevice:
    """A device whose page the browser has open."""
    (device,) = open_web(name, announce=lambda text: None)
    browser.page(device.link.url)
    return device


@contextmanager
def started(flags: Sequence[str] = ()) -> Iterator[chromium.Chromium]:
    """A browser, or a skipped test where there is none."""
    try:
        with chromium.start(flags) as browser:
            yield browser
    except MissingError as error:
        pytest.skip(f"{error.what}: {error.do}")
