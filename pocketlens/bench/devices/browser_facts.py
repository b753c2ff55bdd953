"""What a browser says of itself, as the facts that a measurement document holds: checked, harmless and short."""

import re
from collections.abc import Sequence
from typing import Any

from pocketlens.bench.devices.worker_protocol import check_facts
from pocketlens.bench.document import Host, Snapshot
from pocketlens.bundle.typed import MAX_NUMBER
from pocketlens.version import VERSION
from pocketlens.web.runtime import NAME as RUNTIME_NAME
from pocketlens.web.runtime import VERSION as RUNTIME_VERSION

_PLACES = ("iPhone", "iPad", "Android", "Macintosh", "Windows", "Linux")
_BROWSERS = ("Firefox", "Chrome", "Safari")
"""In this order: Chrome calls itself Safari as well."""


def browser_host(told: dict[str, Any]) -> Host:
    """The facts that stay as they are; ``told`` is what the page's ``host`` gives."""
    packages = {
        RUNTIME_NAME.split()[0]: RUNTIME_VERSION,
        "browser": text(told, "browser") or text(told, "agent"),
        "gpu": text(told, "gpu") or "none",
        "isolated": "yes" if told.get("isolated") else "no",
    }
    memory_gb = _number(told, "memory_gb")
    host = Host(
        os=f"{text(told, 'platform')} {text(told, 'platform_version')}".strip(),
        kernel=text(told, "agent"),
        machine=text(told, "architecture") or "wasm32",
        cpu=text(told, "model"),
        cores=told.get("cores") or 1,
        memory_mb=None if memory_gb is None else 1000 * memory_gb,
        python="",
        pocketlens=VERSION,
        packages=packages,
    )
    return check_facts(host)


def browser_snapshot(told: dict[str, Any], throttled: str, hidden: bool) -> Snapshot:
    """The facts that change; ``throttled`` and ``hidden`` are what the device itself has noticed."""
    snapshot = Snapshot(
        throttled=throttled,
        hidden=hidden,
        pressure=text(told, "pressure") or None,
        battery_percent=_number(told, "battery_percent"),
        charging=told.get("charging") if isinstance(told.get("charging"), bool) else None,
        screen_on=bool(told.get("visible")),
    )
    return check_facts(snapshot)


def spin_of(told: dict[str, Any]) -> float:
    """How long the page took for one and the same arithmetic, in ms; 0 where it does not say."""
    return max(0.0, _number(told, "spin_ms") or 0.0)


def _number(told: dict[str, Any], key: str) -> float | None:
    value = told.get(key)
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
    return float(value) if known else None  # type: ignore[arg-type]


def text(told: dict[str, Any], key: str) -> str:
    """A text that a browser said, harmless and short; empty where it said none."""
    value = told.get(key)
    return re.sub(r"[^\x20-\x7e]", "", value)[:200] if isinstance(value, str) else ""


def browser_name(host: dict[str, Any]) -> str:
    """What people call a browser: ``Pixel 8, Chrome 156``.

    Example:
        >>> browser_name({"agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 27_2 like Mac OS X) Version/27.2 Safari/604.1"})
        'iPhone, Safari 27'
        >>> browser_name({"model": "Pixel 8", "browser": "Chromium 156.0.1", "agent": "(Linux; Android 16)"})
        'Pixel 8, Chromium 156'
    """
    agent, browser = text(host, "agent"), text(host, "browser")
    place = text(host, "model") or _first(_PLACES, agent) or text(host, "platform") or "browser"
    if not browser:
        version = re.search(r"(?:Version|Firefox|Chrome)/(\d+)", agent)
        browser = f"{_first(_BROWSERS, agent)} {version[1] if version else ''}"
    return f"{place}, {browser.split('.')[0]}".strip(" ,")


def _first(words: Sequence[str], text: str) -> str:
    return next((word for word in words if word in text), "")
