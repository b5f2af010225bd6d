// A page without a bundler. `?module` registers the worker that is a module instead of the classic one.
import { openSession } from '/node_modules/longhaul/dist/client.js';

const isModule = new URLSearchParams(location.search).has('module');
const serviceWorker = isModule
  ? navigator.serviceWorker.register('/sw-module.js', { type: 'module' })
  : navigator.serviceWorker.register('/sw-classic.js');

window.events = [];
window.download = async (url) => {
  const session = await openSession('files', { serviceWorker, onEvent: (event) => void window.events.push(event.type) });
  const task = await session.download(url);
  await task.finished();
  const digest = await crypto.subtle.digest('SHA-256', await (await task.file().blob()).arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
};
