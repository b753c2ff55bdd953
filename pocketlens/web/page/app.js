// The page: what people see and touch. What computes is in the player's worker.
import { BACKENDS, openBest, readFilter, weightsOf } from './chain.js';
import { askCamera, cameraProblem, feed } from './feeds.js';
import { serveOffline } from './offline.js';

const at = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);
let filter, player, stream, stopFeed, facing = 'user', rebuilt = false, speed = '';

function say(text) { at('status').textContent = text; }
function complain(text) { at('problem').textContent = text; at('problem').hidden = !text; }
function note(text) { at('attempts').append(Object.assign(document.createElement('li'), { textContent: text })); }

function fact(name, value) {
  at('facts').append(
    Object.assign(document.createElement('dt'), { textContent: name }),
    Object.assign(document.createElement('dd'), { textContent: value }),
  );
}

function look() {
  const first = document.querySelector('#chips input:checked')?.value;
  const weights = weightsOf(filter.styles, first, at('second').value, at('share').value / 100);
  return { weights, split: at('split').value / 100 };
}

function lookChanged() {
  at('percent').textContent = `${at('share').value} %`;
  at('line').hidden = at('split').value === '0';
  at('stage').style.setProperty('--split', `${at('split').value}%`);
  player?.ask('look', { look: look(), live: Boolean(stopFeed) }).catch(() => {});
}

function drawStyles() {
  at('styles').hidden = filter.styles.length < 2;
  filter.styles.forEach((style, i) => {
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'style', value: style, checked: !i });
    const label = document.createElement('label');
    label.append(input, Object.assign(document.createElement('span'), { textContent: style }));
    at('chips').append(label);
    at('second').append(Object.assign(document.createElement('option'), { value: style, textContent: style, selected: i === 1 }));
  });
}

/** Find what plays here, from one backend on, and go on with what was shown. */
async function open(backends) {
  const refused = ({ backend, artifact, reason }) => note(`${BACKENDS[backend].title}${artifact ? `, ${artifact}` : ''}: ${reason}.`);
  player = await openBest(filter, refused, backends, asked.has('backend'));
  player.onlost = (reason) => lost(reason).catch(failed);
  player.onspeed = ({ ms, fps }) => {
    speed = `${ms.toFixed(1)} ms a frame${fps && stopFeed ? `, ${fps.toFixed(0)} frames a second` : ''}`;
    say(`${BACKENDS[player.backend].title}, ${player.artifact.precision}: ${speed}`);
  };
  const canvas = document.createElement('canvas');
  canvas.id = 'picture';
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', 'The filtered picture');
  const surface = canvas.transferControlToOffscreen();
  await player.ask('canvas', { canvas: surface }, [surface]);
  await player.ask('look', { look: look(), live: true });
  if (stream) restartFeed();
  else await still(await (await fetch(filter.golden[0].picture)).blob());
  (at('picture') || at('poster')).replaceWith(canvas);
  tell();
}

function tell() {
  const { backend, artifact, golden, threads, whole } = player;
  at('facts').replaceChildren();
  fact('Backend', BACKENDS[backend].title + (backend === 'threads' ? ` (${threads})` : ''));
  fact('File', `${artifact.id}, ${(artifact.bytes / 1e6).toFixed(2)} MB`);
  fact('Example picture', `${golden.psnr >= 999 ? 'identical' : `${golden.psnr.toFixed(1)} dB`} beside the network that was trained`);
  if (!whole) fact('Note', 'Some layers are computed outside of the fast path.');
  fact('Runtime', filter.runtime);
  say(`${BACKENDS[backend].title}, ${artifact.precision}: ${golden.ms.toFixed(1)} ms`);
}

/** The GPU went away: once more from the beginning, then without it. */
async function lost(reason) {
  note(`WebGPU was lost: ${reason}.`);
  complain('The graphics processor stopped; the filter goes on another way.');
  stopFeed?.();
  player.close();
  const again = !rebuilt;
  rebuilt = true;
  await open(again ? undefined : ['threads', 'compat']);
}

async function still(blob) {
  const picture = await createImageBitmap(blob, { colorSpaceConversion: 'none' });
  await player.ask('still', { picture }, [picture]);
}

function restartFeed() {
  stopFeed?.();
  stopFeed = feed(stream, player, at('camera'), facing === 'user');
}

function stopCamera() {
  stopFeed?.();
  stopFeed = undefined;
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
  at('flip').hidden = true;
  at('start').textContent = 'Use the camera';
}

async function startCamera() {
  complain('');
  stopCamera();
  try {
    stream = await askCamera(facing);
  } catch (error) {
    complain(cameraProblem(error));
    return;
  }
  at('start').textContent = 'Stop the camera';
  at('flip').hidden = false;
  restartFeed();
}

async function chosen() {
  const [file] = at('file').files;
  if (!file) return;
  stopCamera();
  complain('');
  try {
    await still(file);
  } catch {
    complain(`${file.name} is no picture that this browser reads.`);
  }
  at('file').value = '';
}

async function pictureFile() {
  const { blob } = await player.ask('picture');
  return new File([blob], `${filter.name}.png`, { type: 'image/png' });
}

async function save() {
  const address = URL.createObjectURL(await pictureFile());
  Object.assign(document.createElement('a'), { href: address, download: `${filter.name}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

async function share() {
  try {
    await navigator.share({ files: [await pictureFile()], title: filter.name });
  } catch (error) {
    if (error.name !== 'AbortError') complain(`It cannot be shared: ${error.message}`);
  }
}

function listen() {
  for (const id of ['split', 'share']) at(id).addEventListener('input', lookChanged);
  for (const id of ['chips', 'second']) at(id).addEventListener('change', lookChanged);
  at('start').addEventListener('click', () => (stream ? stopCamera() : startCamera()));
  at('flip').addEventListener('click', () => { facing = facing === 'user' ? 'environment' : 'user'; startCamera(); });
  at('file').addEventListener('change', chosen);
  at('save').addEventListener('click', () => save().catch(failed));
  at('share-picture').addEventListener('click', share);
  const test = new File([], 'x.png', { type: 'image/png' });
  at('share-picture').hidden = !navigator.canShare?.({ files: [test] });
  // A page that nobody sees uses no camera.
  let resume = false;
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) { resume = Boolean(stream); stopCamera(); } else if (resume) startCamera();
  });
  for (const id of ['split', 'start', 'file', 'save', 'share-picture']) at(id).disabled = false;
}

function failed(error) {
  say('');
  complain(`The filter cannot be shown: ${error.message}.`);
  at('details').open = true;
}

async function begin() {
  if (asked.has('check')) return (await import('./check.js')).check(asked.get('check'));
  await serveOffline((reason) => note(`Not kept for offline use: ${reason}.`));
  filter = await readFilter();
  drawStyles();
  const only = asked.get('backend');
  await open(only in BACKENDS ? [only] : undefined);
  listen();
  document.body.dataset.ready = 'yes';
  return undefined;
}

begin().catch(failed);
