// The service worker: keeps the page for places without a network, and adds the headers that make it cross-origin
// isolated (without which WebAssembly has no threads) on hosts that send none.
const VERSION = '{{version}}';
const SHELL = {{shell}};

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(VERSION);
    await Promise.all(SHELL.map((path) => keep(cache, path)));
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name !== VERSION && name.startsWith('{{cache}}')) await caches.delete(name);
    }
    await clients.claim();
  })());
});

async function keep(cache, path) {
  try {
    await cache.add(new Request(path, { cache: 'reload' }));
  } catch (error) {
    await tell(error);
  }
}

/** What cannot be kept is still shown: the page works, but only with a network. */
async function tell(error) {
  for (const client of await clients.matchAll({ includeUncontrolled: true })) {
    client.postMessage({ unkept: error.name === 'QuotaExceededError' ? 'the storage is full' : error.message });
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  const inside = request.url.startsWith(registration.scope);
  if (request.method === 'GET' && inside) event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(VERSION);
  const kept = await cache.match(request, { ignoreSearch: request.mode === 'navigate' });
  if (kept) return isolated(kept);
  const response = await fetch(request);
  if (response.ok && response.status === 200) {
    const copy = response.clone();
    await cache.put(request, copy).catch(tell);
  }
  return isolated(response);
}

function isolated(response) {
  if (response.type === 'opaque' || response.status === 0 || response.redirected) return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  // What the cache holds is inflated already.
  headers.delete('Content-Encoding');
  headers.delete('Content-Length');
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
