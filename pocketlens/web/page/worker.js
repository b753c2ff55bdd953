// The worker: plays one file on one backend. Frames come in, pixels go to its canvas; the page never waits for it.
importScripts('filter.js', 'frames.js');

let filter, frames, canvas, input, after, playing = Promise.resolve();
let look = { weights: [1], split: 0 }, last = null;
let times = [], alone = [], since = 0;
const REPORT_EVERY = 15;  // frames

const commands = {
  async open(message) {
    filter = await Filter.open(message, (starting) => post({ starting }));
    if (message.bench) importScripts('bench.js');
    after = new ImageData(filter.width, filter.height);  // one for all frames
    frames = new Frames(filter.width, filter.height);
    input = new OffscreenCanvas(filter.width, filter.height).getContext('2d', { willReadFrequently: true });
    filter.device?.lost.then((loss) => post({ lost: loss.message || loss.reason || 'the GPU was lost' }));
    const { width, height, threads, whole, compile_ms } = filter;
    return { width, height, threads, whole, compile_ms };
  },
  canvas(message) {
    message.canvas.width = filter.width;
    message.canvas.height = filter.height;
    canvas = message.canvas.getContext('2d');
  },
  async look(message) {
    look = message.look;
    if (last && !message.live) await show(performance.now());
  },
  async play({ pixels, weights, exact }) {
    const result = exact ? new Float32Array(pixels.length) : pixels;
    filter.setStyle(weights);
    const ms = await filter.play(pixels, result);
    return { pixels: result, ms };
  },
  async still({ picture }) {
    await take(picture, false);
    return { shown: true };
  },
  async frame({ frame, mirror }) {
    await take(frame, mirror);
    return { shown: true };
  },
  async stream({ readable, mirror }) {
    const reader = readable.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { ended: true };
      await turn(() => take(value, mirror));
    }
  },
  async picture() {
    const still = new OffscreenCanvas(filter.width, filter.height);
    still.getContext('2d').putImageData(after, 0, 0);
    return { blob: await still.convertToBlob({ type: 'image/png' }) };
  },
};

/** Crop the middle of a source to the network's shape, and show it; the source is closed. */
async function take(source, mirror) {
  const begun = performance.now();
  last = await frames.read(source, mirror) ? frames.picture : drawn(source, mirror);
  source.close();
  await show(begun);
}

/** The same by a canvas, which takes any source. */
function drawn(source, mirror) {
  const width = source.displayWidth || source.width, height = source.displayHeight || source.height;
  const scale = Math.min(width / filter.width, height / filter.height);
  const [w, h] = [filter.width * scale, filter.height * scale];
  input.setTransform(mirror ? -1 : 1, 0, 0, 1, mirror ? filter.width : 0, 0);
  input.imageSmoothingQuality = 'high';
  input.drawImage(source, (width - w) / 2, (height - h) / 2, w, h, 0, 0, filter.width, filter.height);
  return input.getImageData(0, 0, filter.width, filter.height);
}

/** Play the last picture in the look of now; the part left of the split stays as it was. */
async function show(begun) {
  filter.setStyle(look.weights);
  alone.push(await filter.play(last.data, after.data));
  const cut = Math.round(look.split * filter.width);
  canvas.putImageData(after, 0, 0, cut, 0, filter.width - cut, filter.height);
  if (cut) canvas.putImageData(last, 0, 0, 0, 0, cut, filter.height);
  report(performance.now() - begun);
}

function report(ms) {
  times.push(ms);
  if (times.length < REPORT_EVERY) return;
  const now = performance.now();
  const fps = since ? (times.length * 1000) / (now - since) : 0;
  post({ speed: { ms: median(times), network_ms: median(alone), fps } });
  times = [];
  alone = [];
  since = now;
}

function median(values) { return values.sort((a, b) => a - b)[values.length >> 1]; }

/** One thing at a time: a frame that plays is not disturbed by a look that changes. */
function turn(work) {
  const done = playing.then(work);
  playing = done.catch(() => {});
  return done;
}

function reason(error) {
  const text = String(error?.message || error);
  // The builds that wait for a GPU in the middle of a network are not among those that the page has.
  return text.includes('Asyncify') ? 'a part of the file is computed outside of WebGPU' : text;
}

function post(message, transfer) { self.postMessage(message, transfer || []); }

self.onmessage = async ({ data }) => {
  const { id, command } = data;
  try {
    const work = () => commands[command](data);
    post({ id, answer: (await (command === 'stream' ? work() : turn(work))) || {} });
  } catch (error) {
    post({ id, error: reason(error) });
  }
};
