"""A browser's WebAssembly with threads."""

from pocketlens.accelerators.browser import BrowserEngine

_ENGINE = BrowserEngine("web-wasm", "threads", "XNNPACK")
missing, version, place = _ENGINE.missing, _ENGINE.version, _ENGINE.place
