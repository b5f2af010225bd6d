// The demo's service worker: attaches longhaul, then keeps the app's own shell for offline visits.
importScripts('./longhaul/service-worker.classic.js');
longhaul.attach(self, { wasm: new URL('./longhaul/longhaul.wasm', self.location) });

const CACHE = 'demo-shell';
const SHELL = [
  './',
  './index.html',
  './style.css',
  './promise.css',
  './tasks.css',
  './app.js',
  './tasks.js',
  './files.js',
  './group.js',
  './events.js',
  './presence.js',
  './format.js',
  './icon.svg',
  './manifest.webmanifest',
  './longhaul/client.js',
].map((path) => new URL(path, self.location).href);

self.addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)));
});

// On a first visit, too, the page's requests for files are to be answered. That is the app's choice: longhaul never does it.
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const [address] = event.request.url.split(/[?#]/);
  if (event.request.method === 'GET' && SHELL.includes(address)) event.respondWith(networkFirst(event, address));
});

async function networkFirst(event, address) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(event.request);
    if (response.ok) event.waitUntil(cache.put(address, response.clone()));
    return response;
  } catch (offline) {
    return (await cache.match(address)) ?? Promise.reject(offline);
  }
}
