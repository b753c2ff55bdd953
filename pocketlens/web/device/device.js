// `device.html`: this browser as a device of `pocketlens bench --device web:`. It asks for commands, carries them out
// in workers, one for each case, and sends what they gave.
import { adapterText, isEmulated, missing, readArtifact } from './chain.js';
import { askCamera, cameraProblem } from './feeds.js';
import { Player, threadCount } from './player.js';

const at = (id) => document.getElementById(id);
const players = new Map();
let hidden = document.hidden;
document.addEventListener('visibilitychange', () => { hidden ||= document.hidden; });

const bytesOf = (text) => Uint8ClampedArray.from(atob(text), (letter) => letter.charCodeAt(0));

function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/** What the browser says of itself; what it does not say is null. */
async function host() {
  const data = navigator.userAgentData;
  const more = await data?.getHighEntropyValues(['model', 'platformVersion', 'architecture', 'fullVersionList']).catch(() => null);
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return {
    agent: navigator.userAgent,
    model: more?.model || '',
    platform: data?.platform || navigator.platform,
    platform_version: more?.platformVersion || '',
    architecture: more?.architecture || '',
    browser: (more?.fullVersionList || []).filter(({ brand }) => !/not.?a.?brand/i.test(brand)).map(({ brand, version }) => `${brand} ${version}`).at(-1) || '',
    cores: navigator.hardwareConcurrency || 1,
    memory_gb: navigator.deviceMemory ?? null,
    gpu: adapterText(adapter?.info),
    gpu_emulated: Boolean(adapter && isEmulated(adapter)),
    isolated: self.crossOriginIsolated,
    secure: self.isSecureContext,
  };
}

let pressure = '';
if ('PressureObserver' in self) {
  new PressureObserver((records) => { pressure = records.at(-1).state; }).observe('cpu').catch(() => {});
}

/** How long the page takes for one and the same piece of arithmetic, in ms: the shortest of many, which nobody disturbed. */
function spin() {
  let least = Infinity, value = 1;
  for (let i = 0; i < 20; i += 1) {
    const before = performance.now();
    let now = before, rounds = 0;
    while (now === before) now = performance.now();  // a coarse clock: begin with one of its steps
    const begun = now;
    for (; now - begun < 1 || rounds < 20; rounds += 1) {
      for (let j = 0; j < 10000; j += 1) value = (value * 1103515245 + 12345) % 2147483647;
      now = performance.now();
    }
    least = Math.min(least, (now - begun) / rounds);
  }
  return value ? least : 0;
}

async function snapshot() {
  const battery = await navigator.getBattery?.().catch(() => null);
  hidden = document.hidden;
  return {
    battery_percent: battery ? Math.round(battery.level * 100) : null,
    charging: battery ? battery.charging : null,
    visible: !document.hidden,
    pressure,
    spin_ms: spin(),
  };
}

/** The backend that is asked for: 'gpu' or 'cpu'; null where the rule decides. */
async function backendFor(accelerator, precision) {
  const gpu = accelerator === null ? ['fp16', 'fp32', 'w8'].includes(precision) && !(await missing('webgpu')) : accelerator === 'gpu';
  if (gpu) {
    const reason = await missing('webgpu', true);
    if (reason) throw Object.assign(new Error(reason), { missing: true });
    return 'webgpu';
  }
  return self.crossOriginIsolated ? 'threads' : 'compat';
}

const commands = {
  host,
  snapshot,
  async load({ worker, artifact, threads, accelerator }) {
    const model = await readArtifact(artifact);
    const wanted = await backendFor(accelerator, artifact.precision);
    const count = threads ?? threadCount();
    for (const backend of wanted === 'threads' ? ['threads', 'compat'] : [wanted]) {
      const begun = performance.now();
      try {
        const player = await Player.open(backend, model, { bench: true, threads: backend === 'threads' ? count : 1 });
        players.set(worker, player);
        return { load_ms: player.compile_ms ?? performance.now() - begun, size: [player.height, player.width], threads: player.threads, backend, whole: player.whole };
      } catch (error) {
        if (backend !== 'threads') throw error;
      }
    }
    return undefined;
  },
  async first({ worker, pixels }) {
    const told = await players.get(worker).ask('first', { pixels: bytesOf(pixels) });
    return { ...told, pixels: base64(new Uint8Array(told.pixels.buffer)) };
  },
  async block({ worker, seconds, count }) {
    const before = hidden;
    const told = await players.get(worker).ask('block', { seconds, count });
    return { ...told, hidden: hidden || before };
  },
  /** From the camera to the screen: the time at which each picture was taken comes with it from the browser. */
  async camera({ worker, seconds, count }) {
    const video = at('camera'), player = players.get(worker);
    if (!stream || !player || !('requestVideoFrameCallback' in video && 'VideoFrame' in self)) return { camera_ms: [] };
    const canvas = document.createElement('canvas'), times = [];
    at('stage').replaceChildren(canvas);
    const surface = canvas.transferControlToOffscreen();
    await player.ask('canvas', { canvas: surface }, [surface]);
    const end = performance.now() + seconds * 1000;
    hidden = document.hidden;
    while (times.length < count && performance.now() < end && !hidden) {
      const about = await Promise.race([
        new Promise((resolve) => video.requestVideoFrameCallback((now, frame) => resolve(frame))),
        new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
      ]);
      if (!about) break;
      const frame = new VideoFrame(video);
      const { shown } = await player.ask('shown', { frame }, [frame]);
      times.push(shown - performance.timeOrigin - (about.captureTime ?? about.presentationTime));
    }
    return { camera_ms: hidden ? [] : times.slice(1) };
  },
  async close({ worker }) {
    players.get(worker)?.close();
    players.delete(worker);
    return {};
  },
};

let stream = null;

async function useCamera() {
  try {
    stream = await askCamera('user');
    at('camera').srcObject = stream;
    await at('camera').play();
    at('allow').hidden = true;
    at('problem').textContent = '';
  } catch (error) {
    at('problem').textContent = cameraProblem(error);
  }
}

async function cameraAllowed() {
  const answer = await navigator.permissions?.query({ name: 'camera' }).catch(() => null);
  return answer?.state === 'granted';
}

async function carryOut(command) {
  at('status').textContent = { block: 'Measuring…', load: 'Loading…', camera: 'From the camera to the screen…', first: 'Comparing the picture…' }[command.do] || 'Connected.';
  try {
    return { id: command.id, ...(await commands[command.do](command)) };
  } catch (error) {
    return { id: command.id, error: String(error?.message || error), missing: Boolean(error?.missing) };
  }
}

async function begin() {
  navigator.wakeLock?.request('screen').catch(() => {});
  const session = sessionStorage.getItem('session') || crypto.getRandomValues(new Uint32Array(2)).join('-');
  sessionStorage.setItem('session', session);
  at('allow').addEventListener('click', useCamera);
  if (await cameraAllowed()) await useCamera();
  const facts = await host();
  let answers = [], failures = 0;
  while (failures < 60) {
    try {
      const response = await fetch('rpc', { method: 'POST', body: JSON.stringify({ session, host: facts, answers }) });
      if (!response.ok) throw new Error(`the computer answers ${response.status}`);
      const told = await response.json();
      if (told.end) {
        stream?.getTracks().forEach((track) => track.stop());
        at('status').textContent = 'Done: you may close this page.';
        return;
      }
      failures = 0;
      answers = [];
      for (const command of told.commands) answers.push(await carryOut(command));
    } catch (error) {
      failures += 1;
      at('status').textContent = `The computer does not answer: ${error.message}. Trying again…`;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
  at('status').textContent = 'The computer is gone.';
}

begin();
