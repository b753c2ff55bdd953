"""A camera's planes are read as a canvas would draw them: every format, matrix and range that cameras have."""

from collections.abc import Iterator

import pytest

from pocketlens.web.chromium import Chromium, Page
from pocketlens.web.folder import PAGE
from pocketlens.web.serve import serve

COMPARE = """(async ({ format, matrix, fullRange, mirror, width, height }) => {
  const half = width * height / 4, data = new Uint8Array(width * height + 2 * half);
  const wave = (x, y, a, b) => 126 + 60 * Math.sin(a * x + b * y);
  for (let y = 0; y < height; y += 1) for (let x = 0; x < width; x += 1) data[y * width + x] = wave(x, y, 0.02, 0.01);
  for (let y = 0, i = 0; y < height / 2; y += 1) {
    for (let x = 0; x < width / 2; x += 1, i += 1) {
      const at = width * height + (format === 'NV12' ? 2 * i : i), next = format === 'NV12' ? 1 : half;
      data[at] = wave(x, y, 0.03, -0.02);
      data[at + next] = wave(x, y, -0.02, 0.03);
    }
  }
  const colorSpace = { matrix, fullRange, primaries: matrix === 'bt709' ? 'bt709' : 'smpte170m', transfer: 'bt709' };
  const frame = new VideoFrame(data, { format, codedWidth: width, codedHeight: height, timestamp: 0, colorSpace });
  const frames = new Frames(64, 48);
  const read = await frames.read(frame, mirror);
  const canvas = new OffscreenCanvas(64, 48).getContext('2d');
  canvas.setTransform(mirror ? -1 : 1, 0, 0, 1, mirror ? 64 : 0, 0);
  canvas.imageSmoothingQuality = 'high';
  const scale = Math.min(width / 64, height / 48);
  canvas.drawImage(frame, (width - 64 * scale) / 2, (height - 48 * scale) / 2, 64 * scale, 48 * scale, 0, 0, 64, 48);
  frame.close();
  const drawn = canvas.getImageData(0, 0, 64, 48).data;
  let worst = 0;
  drawn.forEach((value, i) => { worst = Math.max(worst, Math.abs(value - frames.picture.data[i])); });
  return [read, worst];
})"""


@pytest.fixture(scope="module")
def page(opened_browser: Chromium) -> Iterator[Page]:
    with serve(PAGE) as address:
        page = opened_browser.page()
        page.open(f"{address}style.css")
        page.evaluate("fetch('frames.js').then((answer) => answer.text()).then((text) => { (0, eval)(text); })")
        yield page


@pytest.mark.parametrize("size", ["width: 640, height: 480", "width: 480, height: 640", "width: 100, height: 60"])
@pytest.mark.parametrize("format", ["I420", "NV12"])
@pytest.mark.parametrize("space", ["matrix: 'smpte170m', fullRange: false", "matrix: 'bt709', fullRange: true"])
def test_as_a_canvas_draws_it(page: Page, size: str, format: str, space: str) -> None:
    for mirror in ("false", "true"):
        read, worst = page.evaluate(f"{COMPARE}({{ format: '{format}', mirror: {mirror}, {space}, {size} }})")
        assert read and worst <= 6, worst  # of 255: a canvas weighs its neighbours in another way


def test_other_frames_are_left_to_the_canvas(page: Page) -> None:
    others = ("width: 32, height: 32, matrix: 'bt709'", "width: 640, height: 480, matrix: 'bt2020-ncl'")
    for other in others:
        assert not page.evaluate(f"{COMPARE}({{ format: 'I420', fullRange: false, mirror: false, {other} }})")[0]
    assert not page.evaluate("new Frames(8, 8).read(document.createElement('canvas'), false)")
