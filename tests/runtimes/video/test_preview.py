"""``--screen`` under Xvfb: the window shows what was stylized, in its colours, and closing it ends the stream."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pocketlens.images import Picture

pytest.importorskip("av", reason="pip install 'pocketlens[video]'")
pytest.importorskip("tkinter", reason="apt-get install python3-tk")
if missing := [tool for tool in ("Xvfb", "xdotool") if not shutil.which(tool)]:
    pytest.skip(f"no {' and no '.join(missing)}: apt-get install xvfb xdotool", allow_module_level=True)

WIDTH, HEIGHT = 400, 300
CODE = """
from pocketlens.runtimes.video import stylize
from pocketlens.runtimes.video.source import open_camera
from pocketlens.runtimes.video.preview import PreviewWindow

source = open_camera("lavfi:color=c=0x204060:size=128x96:rate=20:duration=60")
done = stylize(lambda image: 255 - image, source, screen=PreviewWindow("Pocketlens: test"))
print(done.frames)
"""


@pytest.fixture
def display(tmp_path: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """An environment with a screen of its own, and the file that holds the screen's pixels."""
    read, write = os.pipe()
    size = f"{WIDTH}x{HEIGHT}x24"
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", size, "-fbdir", str(tmp_path), "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as display:
        number = display.readline().strip()  # it says so once it is ready
    try:
        yield {**os.environ, "DISPLAY": f":{number}"}, tmp_path / "Xvfb_screen0"
    finally:
        server.terminate()
        server.wait()


def _seen(buffer: Path) -> Picture:
    """What is on the screen, RGB: the end of an XWD dump is its pixels, blue first."""
    data = np.frombuffer(buffer.read_bytes(), np.uint8)
    return data[-4 * WIDTH * HEIGHT :].reshape(HEIGHT, WIDTH, 4)[..., 2::-1]


def test_the_window_shows_the_stylized_frames_until_it_is_closed(display: tuple[dict[str, str], Path]) -> None:
    environment, buffer = display
    playing = subprocess.Popen([sys.executable, "-c", CODE], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        meant, shown = (255 - 0x20, 255 - 0x40, 255 - 0x60), 0
        end = time.monotonic() + 60
        while shown < 0.98 * 128 * 96 and time.monotonic() < end and playing.poll() is None:
            time.sleep(0.1)
            shown = int((np.abs(_seen(buffer).astype(int) - meant).max(-1) <= 6).sum())
        assert 0.98 * 128 * 96 <= shown <= 1.02 * 128 * 96
        find = ["xdotool", "search", "--name", "Pocketlens: test"]
        window = subprocess.run(find, env=environment, capture_output=True, text=True, check=True).stdout.split()[0]
        subprocess.run(["xdotool", "windowfocus", "--sync", window, "key", "q"], env=environment, check=True)
        out, _ = playing.communicate(timeout=60)
    finally:
        playing.kill()
    assert playing.returncode == 0, "closing the window is no error"
    assert int(out) > 0
