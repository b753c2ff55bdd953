// `device.html`: this browser as a device of `pocketlens bench --device web:`. It asks for commands, carries them out
// in workers, one for each case, and sends what they gave.
import { adapterText, isEmulated, missing, readArtifact } from './chain.js';
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

async function snapshot() {
  const battery = await navigator.getBattery?.().catch(() => null);
  const was = hidden;
  hidden = document.hidden;
  return {
    battery_percent: battery ? Math.round(battery.level * 100) : null,
    charging: battery ? battery.charging : null,
    visible: !document.hidden,
    was_hidden: was,
    pressure,
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
  async close({ worker }) {
    players.get(worker)?.close();
    players.delete(worker);
    return {};
  },
};

async function carryOut(command) {
  at('status').textContent = { block: 'Measuring…', load: 'Loading…', first: 'Comparing the picture…' }[command.do] || 'Connected.';
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
  const facts = await host();
  let answers = [], failures = 0;
  while (failures < 60) {
    try {
      const response = await fetch('rpc', { method: 'POST', body: JSON.stringify({ session, host: facts, answers }) });
      if (!response.ok) throw new Error(`the computer answers ${response.status}`);
      const told = await response.json();
      if (told.end) { at('status').textContent = 'Done: you may close this page.'; return; }
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
