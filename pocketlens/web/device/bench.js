// Blocks for a benchmark, for the worker; loaded when it is first asked for one.
//
// A frame is timed from picture in to picture out, RGBA bytes both: what an app waits for. Browsers make their clock
// coarse, by 5 microseconds at best and by a millisecond or more at worst. Where one frame is shorter than a hundred
// steps of the clock, several are timed together and each gets its share.
const STEPS = 100;
let benched, step = 0;

/** The smallest step that the clock makes here, in milliseconds. */
function clockStep() {
  let least = Infinity;
  for (let i = 0; i < 5; i += 1) {
    const begun = performance.now();
    let now = begun;
    while (now === begun) now = performance.now();
    least = Math.min(least, now - begun);
  }
  return least;
}

Object.assign(commands, {
  async first({ pixels }) {
    benched = pixels;
    step = clockStep();
    const output = benched.slice();
    const begun = performance.now();
    await filter.play(benched, output);
    return { first_ms: performance.now() - begun, pixels: output, step };
  },
  /** Play a camera's picture and put it on the canvas; the screen shows it when its next frame begins. */
  async shown({ frame }) {
    await take(frame, false);
    await new Promise((resolve, reject) => {
      self.requestAnimationFrame(resolve);
      setTimeout(() => reject(new Error('the page is hidden')), 2000);
    });
    return { shown: performance.timeOrigin + performance.now() };
  },
  async block({ seconds, count }) {
    const scratch = benched.slice();
    const frames = [], inferences = [];
    await filter.play(benched, scratch);  // caches hold another case's data
    const end = performance.now() + seconds * 1000;
    while (frames.length < count || performance.now() < end) {
      const begun = performance.now();
      let runs = 0, inside = 0, passed;
      do {
        inside += await filter.play(benched, scratch);
        runs += 1;
        passed = performance.now() - begun;
      } while (passed < STEPS * step);
      for (let i = 0; i < runs; i += 1) {
        frames.push(passed / runs);
        inferences.push(Math.min(inside, passed) / runs);
      }
    }
    return { frame_ms: frames, inference_ms: inferences };
  },
});
