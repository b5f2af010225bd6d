// A worker whose app opens without a network, and that lists how it answers requests for the URLs of files. Asked with
// the message 'answers', it says all since it was asked last.
let answers = [];
const { respondWith } = FetchEvent.prototype;
FetchEvent.prototype.respondWith = function (answer) {
  if (new URL(this.request.url).pathname === '/longhaul/file') list(this.request, answer);
  respondWith.call(this, answer);
};

async function list({ headers, destination }, answer) {
  const entry = { range: headers.get('range'), destination };
  answers.push(entry);
  const { status, headers: answered } = await answer;
  Object.assign(entry, { status, contentRange: answered.get('content-range'), length: Number(answered.get('content-length')) });
}

importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });

const APP = ['/', '/page.js', '/longhaul/client.js'];
addEventListener('install', (event) => event.waitUntil(caches.open('app').then((cache) => cache.addAll(APP))));
addEventListener('fetch', (event) => {
  const { pathname } = new URL(event.request.url);
  if (APP.includes(pathname)) event.respondWith(fetch(event.request).catch(() => caches.match(pathname)));
});

addEventListener('message', ({ data, ports }) => {
  if (data !== 'answers') return;
  ports[0].postMessage(answers);
  answers = [];
});
