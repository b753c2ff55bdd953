// Which backend plays here, and which file: the first whose golden picture is right.
import { Player, Stalled } from './player.js';

export const BACKENDS = {
  webgpu: { title: 'WebGPU', files: 'webgpu' },
  threads: { title: 'WebAssembly with threads', files: 'wasm' },
  compat: { title: 'WebAssembly, one thread', files: 'wasm' },
};

/** What the folder holds. */
export async function readFilter() {
  const response = await fetch('filter.json');
  if (!response.ok) throw new Error(`filter.json is not there: ${response.status}`);
  return response.json();
}

/** Why a backend cannot be tried at all, or an empty string; an emulated GPU is only for checks. */
export async function missing(backend, emulated = false) {
  if (backend === 'threads') return self.crossOriginIsolated ? '' : 'the page is not cross-origin isolated';
  if (backend !== 'webgpu') return '';
  if (!navigator.gpu) return self.isSecureContext ? 'this browser has no WebGPU' : 'the page is not in a secure context';
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  if (!adapter) return 'there is no GPU that WebGPU may use';
  return isEmulated(adapter) && !emulated ? 'its GPU is emulated' : '';
}

/** Whether an adapter computes on a processor. */
export function isEmulated(adapter) {
  const { info } = adapter;
  return Boolean(info?.isFallbackAdapter) || /swiftshader|llvmpipe/i.test(adapterText(info));
}

export function adapterText(info) {
  return info ? [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ') : '';
}

/** The bytes of an artifact, after its hash was compared; outside of secure contexts a browser has no hashes. */
export async function readArtifact(artifact) {
  const response = await fetch(artifact.path);
  if (!response.ok) throw new Error(`${artifact.path} is not there: ${response.status}`);
  const bytes = await response.arrayBuffer();
  if (self.crypto?.subtle) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    if (hex !== artifact.sha256) {
      await forget(artifact.path);
      throw new Error(`${artifact.path} is damaged: its hash is not the one listed`);
    }
  }
  return new Uint8Array(bytes);
}

async function forget(path) {
  if (!self.caches) return;
  for (const name of await caches.keys()) await (await caches.open(name)).delete(path);
}

/** RGBA pixels of a picture's file, as they are: no colour profile is applied. */
export async function readPixels(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} is not there: ${response.status}`);
  const picture = await createImageBitmap(await response.blob(), { colorSpaceConversion: 'none' });
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d', { willReadFrequently: true });
  canvas.drawImage(picture, 0, 0);
  return canvas.getImageData(0, 0, picture.width, picture.height);
}

/** PSNR of two pictures in dB, over RGB; 999 for equal ones, as the bundle counts. */
export function psnr(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i += 4) {
    for (let c = 0; c < 3; c += 1) sum += (one[i + c] - other[i + c]) ** 2;
  }
  return sum ? 10 * Math.log10((255 * 255 * 0.75 * one.length) / sum) : 999;
}

/** How much of each style: all of one, or a blend of two. */
export function weightsOf(styles, first, second = first, share = 0) {
  const weights = new Array(Math.max(1, styles.length)).fill(0);
  weights[Math.max(0, styles.indexOf(first))] += 1 - share;
  if (share) weights[Math.max(0, styles.indexOf(second))] += share;
  return weights;
}

/** Play golden pictures on a player: `[{ psnr, ms, pixels }]`, pixels as floats if they are to be exact. */
export async function playGolden(player, filter, { count = filter.golden.length, exact = false } = {}) {
  const played = [];
  for (const golden of filter.golden.slice(0, count)) {
    const [picture, expected] = await Promise.all([readPixels(golden.picture), readPixels(golden.expected)]);
    const { pixels, ms } = await player.play(picture.data, golden.weights || weightsOf(filter.styles, golden.style), exact);
    played.push({ psnr: psnr(pixels, expected.data), ms, pixels });
  }
  return played;
}

/**
 * The first backend whose golden picture is right, with the first file for it.
 *
 * @param refused Told of each attempt that failed: `{ backend, artifact, reason }`.
 * @param backends The names to try, in order.
 * @returns A player, with `artifact` and what the golden picture scored; throws if there is none.
 */
export async function openBest(filter, refused, backends = Object.keys(BACKENDS), emulated = false) {
  for (const backend of backends) {
    const reason = await missing(backend, emulated);
    if (reason) { refused({ backend, reason }); continue; }
    for (const id of filter.play[BACKENDS[backend].files]) {
      const artifact = filter.artifacts.find((candidate) => candidate.id === id);
      try {
        return await openChecked(filter, backend, artifact);
      } catch (error) {
        refused({ backend, artifact: id, reason: error.message });
        if (error instanceof Stalled) break;
      }
    }
  }
  throw new Error('no backend of this browser plays the filter');
}

async function openChecked(filter, backend, artifact) {
  const model = await readArtifact(artifact);
  let worst = 0;
  // Half precision on a GPU may be too coarse for a network: then its arithmetic is done in single precision.
  for (const options of backend === 'webgpu' ? [{}, { gpuPrecision: 'fp32' }] : [{}]) {
    const player = await Player.open(backend, model, options);
    const [golden] = await playGolden(player, filter, { count: 1 }).catch((error) => { player.close(); throw error; });
    worst = golden.psnr;
    if (worst >= artifact.min_psnr) return Object.assign(player, { artifact, golden });
    player.close();
  }
  throw new Error(`a wrong picture: ${worst.toFixed(1)} dB, at least ${artifact.min_psnr} dB expected`);
}
