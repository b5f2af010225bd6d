// A page in memory: what `js/client.ts` finds in a browser, all of it the page's own, and the client itself, bundled
// from its source. Timers, Date, MessageChannel, CustomEvent and crypto are Node's, so mock timers drive them.
import path from 'node:path';
import { compileFunction } from 'node:vm';
import { build } from 'esbuild';
import { root } from '../../../tools/setup.mjs';

const { outputFiles } = await build({
  entryPoints: [path.join(root, 'js/client.ts')],
  bundle: true,
  write: false,
  format: 'iife',
  globalName: 'client',
  target: 'es2022',
  sourcemap: 'inline',
});
const GLOBALS = ['navigator', 'document', 'location', 'addEventListener', 'setInterval', 'reportError', 'MessageChannel', 'fetch'];
const evaluate = compileFunction(`${outputFiles[0].text}\nreturn client;`, GLOBALS, { filename: 'client.js' });

/** `navigator.serviceWorker`: holds messages back until `startMessages`, as a browser does. */
class Container extends EventTarget {
  /** The worker that the page's requests go through. */
  controller = null;
  /** Registrations whose scope does not cover the page. */
  others = [];
  #early = [];

  constructor(findRegistration) {
    super();
    this.getRegistration = async () => findRegistration();
    this.getRegistrations = async () => this.others;
  }

  startMessages() {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const message of early) this.dispatchEvent(message);
  }

  deliver(data, source) {
    const message = Object.assign(new Event('message'), { data, source });
    if (this.#early) this.#early.push(message);
    else this.dispatchEvent(message);
  }
}

/** The worker's word about a file that is to be saved. */
export function say(url, saving) {
  const channel = new BroadcastChannel(url);
  channel.postMessage(saving);
  channel.close();
}

export class Page {
  /** What went to `reportError`. */
  reported = [];
  /** The page's window, for events such as `online`. */
  window = new EventTarget();
  /** What answers the page's own requests. */
  fetch = async () => Response.error();
  /** What was loaded in frames. */
  frames = [];
  /** How many of them were taken out again. */
  removed = 0;
  /** What becomes of a frame: the worker takes it for a download. */
  onFrame = ({ src }) => say(src, {});
  document = Object.assign(new EventTarget(), {
    visibilityState: 'visible',
    createElement: () => ({ remove: () => void this.removed++ }),
    body: {
      append: (frame) => {
        this.frames.push(frame.src);
        this.onFrame(frame);
      },
    },
  });
  #locks;
  #timers = [];
  #ports = [];
  #onReport = () => {};

  /** `navigator` is what this browser has besides service workers and locks: a connection, a battery. */
  constructor(worker, locks, navigator = {}) {
    this.#locks = locks;
    /** Its own view of the worker's registration; a test may change it. */
    this.registration = worker.registrationFor(this);
    this.container = new Container(() => this.registration);
    this.client = evaluate(
      { serviceWorker: this.container, locks: locks.of(this), ...navigator },
      this.document,
      new URL('app/index.html', worker.scope),
      this.window.addEventListener.bind(this.window),
      (...args) => this.#timers.push(setInterval(...args)),
      (error) => {
        this.reported.push(error);
        this.#onReport();
      },
      this.#channels(),
      (...args) => this.fetch(...args),
    );
  }

  /** Opens the session of this name. */
  open(identifier = 'podcasts', options = {}) {
    return this.client.openSession(identifier, { serviceWorker: this.registration, ...options });
  }

  /** The page's requests go through this worker from now on. */
  control(worker = this.registration.active) {
    this.container.controller = worker;
    this.container.dispatchEvent(new Event('controllerchange'));
  }

  /** The page comes into sight, or goes out of it. */
  show(isVisible) {
    this.document.visibilityState = isVisible ? 'visible' : 'hidden';
    this.document.dispatchEvent(new Event('visibilitychange'));
  }

  /** A message arrives from a service worker. */
  deliver(data, source = this.registration.active) {
    setImmediate(() => !this.isClosed && this.container.deliver(data, source));
  }

  /** Resolves when this many errors were reported. */
  async untilReported(count) {
    while (this.reported.length < count) await new Promise((resolve) => (this.#onReport = resolve));
  }

  /** The tab is closed, or crashes: nothing is said to anybody. */
  close() {
    this.isClosed = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const port of this.#ports) port.close();
    this.#locks.drop(this);
  }

  /** Node's MessageChannel, whose open ports would keep the process alive. */
  #channels() {
    const ports = this.#ports;
    return class extends MessageChannel {
      constructor() {
        super();
        ports.push(this.port1);
      }
    };
  }
}
