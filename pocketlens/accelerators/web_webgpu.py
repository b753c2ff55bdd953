"""A browser's WebGPU, on a processor where there is no GPU."""

from pocketlens.accelerators.browser import BrowserEngine

_ENGINE = BrowserEngine("web-webgpu", "webgpu", "the GPU")
missing, version, place = _ENGINE.missing, _ENGINE.version, _ENGINE.place
