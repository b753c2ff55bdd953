// A camera's pictures without a canvas, for the worker. Cameras give brightness and colour as planes (I420, NV12). A
// canvas turns the whole frame into RGBA first and scales that; here each pixel of the network is read from the planes.

/** What of U and V makes RGB: [V in red, U in green, V in green, U in blue], by matrix. */
const MATRICES = {
  smpte170m: [1.402, 0.344136, 0.714136, 1.772],
  bt470bg: [1.402, 0.344136, 0.714136, 1.772],
  bt709: [1.5748, 0.187324, 0.468124, 1.8556],
};

class Frames {
  constructor(width, height) {
    this.picture = new ImageData(width, height);
    this.pixels = new Uint32Array(this.picture.data.buffer);
    this.planes = new Uint8Array(0);
    this.known = '';
  }

  /** Crop the middle of a frame to the network's shape, into `picture`; false where the frame is of another kind. */
  async read(frame, mirror) {
    const { visibleRect: area, colorSpace } = frame, { width, height } = this.picture;
    const matrix = MATRICES[colorSpace?.matrix ?? 'smpte170m'];  // where a camera says nothing, browsers assume this
    const scale = area ? Math.min(area.width / width, area.height / height) : 0;
    const fits = matrix && scale >= 1 && !frame.rotation && !frame.flip && frame.displayWidth === area.width && frame.displayHeight === area.height;
    if (!fits || !['I420', 'NV12'].includes(frame.format)) return false;
    const size = frame.allocationSize();
    if (this.planes.length < size) this.planes = new Uint8Array(size);
    const layout = await frame.copyTo(this.planes);
    this.look(area, scale, mirror);
    this.convert(layout, frame.format === 'NV12', matrix, Boolean(colorSpace?.fullRange));
    return true;
  }

  /** Where the pixels of each column and row lie in a frame; the same for all frames of a camera. */
  look(area, scale, mirror) {
    const { width, height } = this.picture, key = `${area.width} ${area.height} ${mirror}`;
    if (key === this.known) return;
    this.known = key;
    this.taps = Math.max(1, Math.round(scale));
    const places = (count, length) => Int32Array.from({ length: count }, (_, i) => Math.min(
      length - this.taps,
      Math.max(0, Math.round((length - count * scale) / 2 + (i + 0.5) * scale - this.taps / 2)),
    ));
    this.columns = places(width, area.width);
    if (mirror) this.columns.reverse();
    this.rows = places(height, area.height);
  }

  convert([y, u, v], paired, [redV, greenU, greenV, blueU], full) {
    const { planes, pixels, columns, rows, taps } = this, { width } = this.picture, middle = taps >> 1;
    const gain = full ? 1 : 255 / 219, colour = full ? 1 : 255 / 224, black = full ? 0 : 16, step = paired ? 2 : 1;
    const [rv, gu, gv, bu] = [redV, greenU, greenV, blueU].map((factor) => factor * colour);
    const share = gain / (taps * taps), dark = black * gain;
    const byte = (value) => (value > 0 ? (value < 255 ? (value + 0.5) | 0 : 255) : 0);
    for (let row = 0, i = 0; row < rows.length; row += 1) {
      const top = y.offset + rows[row] * y.stride, half = (rows[row] + middle) >> 1;
      const uRow = u.offset + half * u.stride, vRow = paired ? uRow + 1 : v.offset + half * v.stride;
      for (let column = 0; column < width; column += 1, i += 1) {
        let at = top + columns[column], sum = 0;
        if (taps === 2) sum = planes[at] + planes[at + 1] + planes[at + y.stride] + planes[at + y.stride + 1];
        else for (let j = 0; j < taps; j += 1, at += y.stride) for (let k = 0; k < taps; k += 1) sum += planes[at + k];
        const bright = sum * share - dark, place = ((columns[column] + middle) >> 1) * step;
        const cu = planes[uRow + place] - 128, cv = planes[vRow + place] - 128;
        pixels[i] = 0xff000000 | (byte(bright + bu * cu) << 16) | (byte(bright - gu * cu - gv * cv) << 8) | byte(bright + rv * cv);
      }
    }
  }
}
self.Frames = Frames;
