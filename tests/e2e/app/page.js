// A page for tests: `window.ready` opens the session "podcasts"; events and what was shown live are kept in lists.
import { LonghaulError, openSession } from '/longhaul/client.js';

const query = new URLSearchParams(location.search);
// Without `?sync` the browser wakes no worker by itself, so that tests can look at what is durable in between.
if (!query.has('sync')) Object.defineProperty(ServiceWorkerRegistration.prototype, 'sync', { value: undefined });
const handled = [];
const seen = [];
const progress = [];
const notes = [];

async function open(options = {}) {
  const serviceWorker = navigator.serviceWorker.register(query.get('worker') ?? '/sw.js').then(() => navigator.serviceWorker.ready);
  const list = async (event) => void handled.push(event);
  const onEvent = query.has('observer') ? undefined : (self.record ?? list);
  const session = await openSession(query.get('session') ?? 'podcasts', { serviceWorker, onEvent, ...options });
  session.addEventListener('event', ({ detail }) => seen.push(detail));
  session.addEventListener('progress', ({ detail }) => progress.push(...detail));
  session.addEventListener('delegate', () => notes.push('delegate'));
  session.addEventListener('alleventsdelivered', () => notes.push(`all-delivered after ${handled.length}`));
  return session;
}

async function sha256(blob) {
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function errorOf(promise) {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return { isLonghaulError: error instanceof LonghaulError, name: error.name, code: error.code, status: error.status, message: error.message };
  }
}

Object.assign(window, { LonghaulError, errorOf, handled, notes, open, progress, seen, sha256 });
async function begin() {
  // With `?record` events are not only listed: this defines what handles them.
  if (query.has('record')) await import('/record.js');
  if (!query.has('idle')) window.session = await open();
}

window.ready = begin();
