"""A Vulkan driver for GPU engines: the system's own, and SwiftShader, Vulkan in software, where there is no other.

Chromium brings SwiftShader with its driver file and a loader. Engines prefer a real GPU where both are there.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from ctypes import CDLL, RTLD_GLOBAL
from ctypes.util import find_library
from pathlib import Path

INSTALL = "apt-get install chromium (it holds SwiftShader, Vulkan in software), or the driver of your GPU"
_CHOSEN = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""Variables with which a user chooses drivers; then nothing is added."""
_DRIVER = "vk_swiftshader_icd.json"
_LOADER = "libvulkan.so.1"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FOLDERS = ("/usr/lib/chromium", "/usr/lib64/chromium-browser", "/usr/lib/chromium-browser", "/opt/google/chrome")
_DRIVERS = ("/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d")


def missing() -> str:
    """Why no Vulkan driver is here; empty where one is, or where engines need none (macOS)."""
    if sys.platform != "linux":
        return ""
    if _loader() is None:
        return "there is no Vulkan loader (libvulkan.so.1)"
    return "" if _driver_files() else "there is no Vulkan driver"


def drivers() -> list[str]:
    """The names of the drivers that are here: ``vk_swiftshader_icd``."""
    return [file.stem for file in _driver_files()]


def prepare() -> None:
    """Let this process find a loader and a driver. For a process that does nothing but play: it changes its
    environment.
    """
    software = _software()
    if software is not None and not any(os.environ.get(name) for name in _CHOSEN):
        os.environ["VK_ADD_DRIVER_FILES"] = str(software)
    loader = _loader()
    if loader is not None:
        CDLL(loader, mode=RTLD_GLOBAL)  # who asks for the loader by its name afterwards gets this one


def _loader() -> str | None:
    """The system's loader, else the one beside SwiftShader."""
    if find_library("vulkan"):
        return _LOADER
    return next((str(folder / _LOADER) for folder in _browser_folders() if (folder / _LOADER).is_file()), None)


def _driver_files() -> list[Path]:
    chosen = next((os.environ[name] for name in _CHOSEN if os.environ.get(name)), None)
    if chosen is not None:
        return [Path(name) for name in chosen.split(os.pathsep) if Path(name).is_file()]
    installed = [file for folder in _DRIVERS for file in sorted(Path(folder).glob("*.json"))]
    software = _software()
    return installed + ([software] if software else [])


def _software() -> Path | None:
    """SwiftShader's driver file."""
    return next((folder / _DRIVER for folder in _browser_folders() if (folder / _DRIVER).is_file()), None)


def _browser_folders() -> Iterator[Path]:
    for browser in _BROWSERS:
        if found := shutil.which(browser):
            yield Path(found).resolve().parent
    yield from map(Path, _FOLDERS)
