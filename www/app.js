// Starts the demo: registers the service worker, attaches this page to the session "demo" by its name,
// and joins the form, the list of tasks and the list of events to it.
import { openSession } from 'longhaul';
import { createEventLog } from './events.js';
import { newTaskId } from './format.js';
import { createMapRow } from './group.js';
import { startPresence } from './presence.js';
import { createTaskList } from './tasks.js';

const SAMPLES = [
  { path: './sample/hills.svg', description: 'Hills in the evening' },
  { path: './sample/chord.wav', description: 'A quiet chord' },
  { path: './sample/sample.bin', description: 'Random bytes' },
];
const TOAST_MS = 8000;

const find = (selector) => document.querySelector(selector);
const form = find('#add');
const toast = find('#toast');
let toastTimer;

function fail(error) {
  toast.textContent = error.message;
  toast.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.hidden = true), TOAST_MS);
}

function say(text) {
  find('#announcer').textContent = text;
}

function refuse(reason) {
  find('#notice').textContent = reason;
  find('#notice').hidden = false;
}

/** Keeps the badge of the service worker's state. */
function watchWorker(registration) {
  const show = () => {
    const { active, waiting, installing } = registration;
    const update = waiting ? ', update waits for all tabs to close' : '';
    const state = active ? `active${update}` : (installing ?? waiting)?.state ?? 'not installed';
    find('#worker').textContent = `worker: ${state}`;
    find('#worker').dataset.state = active ? 'active' : 'absent';
    for (const worker of [active, waiting, installing]) if (worker) worker.onstatechange = show;
  };
  registration.addEventListener('updatefound', show);
  show();
}

function showRole({ isDelegate }) {
  const role = isDelegate ? 'delegate' : 'observer';
  find('#role').textContent = `this page: ${role}`;
  find('#role').dataset.role = role;
}

async function start() {
  form.elements.url.value = new URL('./sample/sample.bin', location.href);
  if (!('serviceWorker' in navigator)) {
    return refuse('No service worker can run here. It takes HTTPS or localhost, and in some browsers no private window.');
  }
  const presence = await startPresence();
  const events = createEventLog(presence);
  const registration = await navigator.serviceWorker.register('./sw.js');
  watchWorker(registration);

  // The delegate acknowledges an event by handling it; for this app that is to have shown it.
  const session = await openSession('demo', { serviceWorker: registration, onEvent: events.add });
  session.addEventListener('event', ({ detail }) => events.add(detail));
  session.addEventListener('delegate', () => showRole(session));
  showRole(session);

  const tasks = createTaskList(session, { say, fail });
  const download = async (url, description) => tasks.show(await session.download(url, { id: newTaskId(url), description }));

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    download(form.elements.url.value).catch(fail);
  });
  find('#samples').addEventListener('click', () => {
    for (const { path, description } of SAMPLES) download(new URL(path, location.href), description).catch(fail);
  });

  for (const button of document.querySelectorAll('[data-all]')) {
    button.addEventListener('click', () => session[button.dataset.all]().catch(fail));
  }

  await createMapRow(session, fail);
  for (const task of await session.tasks()) tasks.show(task);
  const history = await session.history({ limit: 100 });
  history.forEach(events.add);
  events.greet(history);
  find('#controls').disabled = false;
  document.body.dataset.ready = '';
}

start().catch((error) => refuse(error.message));
