// `index.html?check`: play every golden picture in every file on every backend, and write what came out into the page
// as JSON, so that anything can read it. `?check=wasm` or `?check=webgpu` asks one kind of backend alone.
import { BACKENDS, adapterText, missing, playGolden, readArtifact, readFilter } from './chain.js';
import { Player, Stalled } from './player.js';

function base64(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

async function adapterInfo() {
  return adapterText((await navigator.gpu?.requestAdapter().catch(() => null))?.info);
}

async function one(filter, backend, artifact) {
  const begun = performance.now();
  let player;
  try {
    player = await Player.open(backend, await readArtifact(artifact));
    const open_ms = performance.now() - begun;
    const golden = await playGolden(player, filter, { exact: true });
    return { open_ms, whole: player.whole, threads: player.threads, golden: golden.map((played) => ({
      psnr: played.psnr, ms: played.ms, floats: base64(new Uint8Array(played.pixels.buffer)),
    })) };
  } catch (error) {
    if (error instanceof Stalled) throw error;  // it says nothing of the file
    return { refused: error.message };
  } finally {
    player?.close();
  }
}

export async function check(kind) {
  const told = { agent: navigator.userAgent, isolated: self.crossOriginIsolated, adapter: await adapterInfo(), results: [] };
  try {
    const filter = await readFilter();
    for (const [backend, { files }] of Object.entries(BACKENDS)) {
      if (kind && kind !== files && kind !== backend) continue;
      const reason = await missing(backend, true);
      for (const artifact of filter.artifacts) {
        const result = reason ? { refused: reason } : await one(filter, backend, artifact);
        told.results.push({ backend, artifact: artifact.id, ...result });
      }
    }
  } catch (error) {
    told.error = error.message;
  }
  const place = document.createElement('script');
  place.type = 'application/json';
  place.id = 'check';
  place.textContent = JSON.stringify(told);
  document.body.append(place);
}
