// One worker that plays one file on one backend, seen from the page.

// How long a runtime whose bytes are there may take to start; a fresh one takes half a second. In Firefox a worker now
// and then never comes back from starting its second thread. Its own timers stand still then, so the page looks.
const START_WITHIN_MS = 10000;
const ATTEMPTS = 2;

/** A runtime that does not start, whatever file it is to play. */
export class Stalled extends Error {}

export class Player {
  constructor() {
    this.worker = new Worker(new URL('worker.js', import.meta.url));
    this.waiting = new Map();
    this.count = 0;
    this.onstarting = this.onspeed = this.onlost = () => {};
    this.worker.onmessage = ({ data }) => this.heard(data);
    this.worker.onerror = (event) => this.end(event.message || 'its worker could not be started');
  }

  /** Start a worker on a backend with the bytes of a file; throws why that cannot be. */
  static async open(backend, model, options = {}) {
    for (let attempt = 1; ; attempt += 1) {
      const player = new Player();
      try {
        return await player.start(backend, model, options);
      } catch (error) {
        player.close();
        if (!(error instanceof Stalled) || attempt === ATTEMPTS) throw error;
      }
    }
  }

  async start(backend, model, options) {
    const base = new URL('.', import.meta.url).href;
    const threads = backend === 'threads' ? threadCount() : 1;
    let limit;
    const stalled = new Promise((_, reject) => {
      this.onstarting = (starting) => {
        clearTimeout(limit);
        if (starting) limit = setTimeout(() => reject(new Stalled('its runtime does not start')), START_WITHIN_MS);
      };
    });
    const told = this.ask('open', { base, backend, threads, model: model.slice(), ...options });
    try {
      return Object.assign(this, await Promise.race([told, stalled]), { backend });
    } finally {
      clearTimeout(limit);
    }
  }

  heard(data) {
    if ('starting' in data) this.onstarting(data.starting);
    else if (data.speed) this.onspeed(data.speed);
    else if (data.lost) this.onlost(data.lost);
    else {
      const { resolve, reject } = this.waiting.get(data.id) || {};
      this.waiting.delete(data.id);
      if (data.error) reject?.(new Error(data.error));
      else resolve?.(data.answer);
    }
  }

  ask(command, message = {}, transfer = []) {
    const id = (this.count += 1);
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ id, command, ...message }, transfer);
    });
  }

  /** Play a picture; gives its RGBA pixels, as floats if they are to be exact, and the network's milliseconds. */
  play(pixels, weights, exact = false) { return this.ask('play', { pixels: pixels.slice(), weights, exact }); }

  end(reason) {
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
  }

  close() {
    this.worker.terminate();
    this.end('its worker was ended');
  }
}

/** Phones have a few fast cores and several slow ones: more than four threads wait for the slow ones. */
export function threadCount() { return Math.min(4, navigator.hardwareConcurrency || 1); }
