// The worker's half in memory: js/worker.ts, bundled from its source, with a component that only writes down what it is
// told, a scope whose events a test dispatches, and one page.
import path from 'node:path';
import { compileFunction } from 'node:vm';
import { build } from 'esbuild';
import { root } from '../../../tools/setup.mjs';

const component = `
  export default async () => load();
  export const atWork = () => [];
  export const retireInstance = () => told('retired');
  export const beginInstance = () => {};
  export class Component {
    constructor(host) {
      const tell = (name) => (...args) => told(name, ...args);
      for (const name of ['wake', 'hello', 'bye', 'ack', 'call', 'forget', 'conditions', 'hook', 'external']) this[name] = tell(name);
      told('started', host);
    }
  }`;
const { outputFiles } = await build({
  entryPoints: [path.join(root, 'js/worker.ts')],
  bundle: true,
  write: false,
  format: 'iife',
  globalName: 'worker',
  target: 'es2022',
  define: { WASM_INTEGRITY: '"sha256-of-this-build"' },
  plugins: [
    {
      name: 'component',
      setup(build) {
        build.onResolve({ filter: /pkg\/longhaul\.js$/ }, () => ({ path: 'component', namespace: 'fake' }));
        build.onLoad({ filter: /.*/, namespace: 'fake' }, () => ({ contents: component }));
      },
    },
  ],
});
const GLOBALS = ['told', 'load', 'navigator', 'location', 'Client', 'reportError', 'indexedDB', 'IDBKeyRange', 'WebAssembly', 'caches', 'fetch', 'console', 'PerformanceObserver'];
const evaluate = compileFunction(`${outputFiles[0].text}\nreturn worker;`, GLOBALS);
const offline = async () => {
  throw new TypeError('Failed to fetch');
};
/** The component's file is always there. */
const caches = { open: async () => ({ match: async () => new Response() }) };

class Client {
  posted = [];
  constructor(id) {
    this.id = id;
  }
  postMessage(message) {
    this.posted.push(message);
  }
}

/** A request of a page, as far as listeners look at it; Node's own has no destination but ''. */
export function request(url, { method = 'GET', headers = {}, destination = '', signal = new AbortController().signal } = {}) {
  return { url: new URL(url, 'https://app.example/').href, method, headers: new Headers(headers), destination, signal };
}

/** An event of the worker; `isOpen` while somebody waits for it. That of a fetch has an `answer` once there is one. */
export class WorkerEvent extends Event {
  #waiting = 1;
  answer = undefined;
  request = request('/');
  /** Whether what somebody waited for has failed. */
  hasFailed = false;
  constructor(type, fields = {}) {
    super(type);
    Object.assign(this, fields);
    // As in a browser it is over when its listeners have returned and nobody waits any more.
    queueMicrotask(() => this.#waiting--);
  }
  get isOpen() {
    return this.#waiting > 0;
  }
  respondWith(answer) {
    if (this.answer) throw new DOMException('it is answered', 'InvalidStateError');
    this.answer = answer;
  }
  waitUntil(promise) {
    if (!this.isOpen) throw new DOMException('the event is over', 'InvalidStateError');
    this.#waiting++;
    const end = () => this.#waiting--;
    promise.then(end, () => {
      this.hasFailed = true;
      end();
    });
  }
}

/**
 * A service worker that has attached longhaul, with these `options`. `load` gets the component ready, or fails; an export
 * throws what `throws` returns for its name, if anything.
 */
export async function start({ connection, locks, userAgent, indexedDB, backgroundFetch, load = () => {}, throws = () => {}, fetch = offline, warned = [], PerformanceObserver, WebAssembly = globalThis.WebAssembly, ...options } = {}) {
  const told = [];
  const reported = [];
  const hosts = [];
  const tell = (name, ...args) => {
    if (name === 'started') hosts.push(...args);
    else told.push([name, ...args]);
    const error = throws(name, ...args);
    if (error) throw error;
  };
  const page = new Client('page');
  const scope = Object.assign(new EventTarget(), {
    registration: {
      scope: 'https://app.example/',
      sync: { register: async (tag) => void told.push(['sync', tag]) },
      ...(backgroundFetch && { backgroundFetch }),
    },
    clients: { matchAll: async () => [page] },
  });
  const location = new URL('https://app.example/sw.js');
  const report = (error) => reported.push(error);
  const IDBKeyRange = { bound: (lower, upper) => ({ lower, upper }) };
  const { attach } = evaluate(tell, load, { connection, locks, userAgent }, location, Client, report, indexedDB, IDBKeyRange, WebAssembly, caches, fetch, { ...console, warn: (text) => warned.push(text) }, PerformanceObserver);
  const longhaul = attach(scope, { wasm: 'longhaul.wasm', ...options });
  const post = async (message, ports = [], source = page) => {
    const event = { data: { longhaul: 1, ...message }, source, ports, waitUntil() {} };
    scope.dispatchEvent(Object.assign(new Event('message'), event));
    await new Promise(setImmediate);
  };
  const dispatch = async (type, fields) => {
    const event = new WorkerEvent(type, fields);
    scope.dispatchEvent(event);
    await new Promise(setImmediate);
    return event;
  };
  const of = (name) => told.filter(([type]) => type === name).map(([, ...args]) => args);
  const hello = () => post({ type: 'hello', session: 'podcasts', delegate: false, canAuthorize: true });
  /** Answers the last call of this type. */
  const answer = (type, value, ok = true) => {
    const [number] = of('call').findLast(([, call]) => call.type === type);
    hosts.at(-1).reply(number, ok, value);
  };
  return { longhaul, scope, page, post, dispatch, hello, of, answer, told, reported, hosts, host: () => hosts.at(-1) };
}
