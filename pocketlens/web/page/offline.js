// The service worker, seen from the page: registers it, and makes the page cross-origin isolated where the host is not.

/**
 * Wait until the service worker serves this page, so that what is fetched from now on is kept for offline use.
 *
 * A page of a host without isolation headers is loaded once more, now by the service worker, which adds them.
 *
 * @param unkept Told why something could not be kept.
 */
export async function serveOffline(unkept) {
  if (!('serviceWorker' in navigator)) return;
  navigator.serviceWorker.addEventListener('message', ({ data }) => data.unkept && unkept(data.unkept));
  try {
    await navigator.serviceWorker.register('sw.js');
    if (!navigator.serviceWorker.controller) await controlled(15000);
  } catch (error) {
    unkept(error.message);
    return;
  }
  const tried = sessionStorage.getItem('isolating');
  if (!self.crossOriginIsolated && !tried && navigator.serviceWorker.controller) {
    sessionStorage.setItem('isolating', 'yes');
    location.reload();
    await new Promise(() => {});
  }
}

function controlled(within) {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true });
    setTimeout(resolve, within);
  });
}
