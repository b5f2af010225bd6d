// The worker's half in memory: js/worker.ts, bundled from its source, with a component that only writes down what it is
// told, a scope whose events a test dispatches, and one page.
import path from 'node:path';
import { compileFunction } from 'node:vm';
import { build } from 'esbuild';
import { root } from '../../../tools/setup.mjs';

const component = `
  export default async () => {};
  export const retireInstance = () => {};
  export const beginInstance = () => {};
  export class Component {
    constructor(host) {
      const tell = (name) => (...args) => told(name, ...args);
      for (const name of ['wake', 'hello', 'bye', 'ack', 'call', 'conditions', 'hook', 'external']) this[name] = tell(name);
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
const evaluate = compileFunction(`${outputFiles[0].text}\nreturn worker;`, ['told', 'navigator', 'location', 'Client', 'reportError']);

class Client {
  posted = [];
  constructor(id) {
    this.id = id;
  }
  postMessage(message) {
    this.posted.push(message);
  }
}

/** An event of the worker; `isOpen` while somebody waits for it. */
export class WorkerEvent extends Event {
  #waiting = 1;
  constructor(type) {
    super(type);
    // As in a browser it is over when its listeners have returned and nobody waits any more.
    queueMicrotask(() => this.#waiting--);
  }
  get isOpen() {
    return this.#waiting > 0;
  }
  waitUntil(promise) {
    if (!this.isOpen) throw new DOMException('the event is over', 'InvalidStateError');
    this.#waiting++;
    const end = () => this.#waiting--;
    promise.then(end, end);
  }
}

/** A service worker that has attached longhaul, with these `options`. */
export async function start({ connection, locks, backgroundFetch, ...options } = {}) {
  const told = [];
  const reported = [];
  let host;
  const tell = (name, ...args) => {
    if (name === 'started') [host] = args;
    else told.push([name, ...args]);
  };
  const scope = Object.assign(new EventTarget(), {
    registration: { scope: 'https://app.example/', ...(backgroundFetch && { backgroundFetch }) },
    clients: { matchAll: async () => [] },
  });
  const location = new URL('https://app.example/sw.js');
  const { attach } = evaluate(tell, { connection, locks }, location, Client, (error) => reported.push(error));
  const longhaul = attach(scope, { wasm: 'longhaul.wasm', ...options });
  const page = new Client('page');
  const post = async (message) => {
    const event = { data: { longhaul: 1, ...message }, source: page, ports: [], waitUntil() {} };
    scope.dispatchEvent(Object.assign(new Event('message'), event));
    await new Promise(setImmediate);
  };
  const dispatch = async (type, fields = {}) => {
    const event = Object.assign(new WorkerEvent(type), fields);
    scope.dispatchEvent(event);
    await new Promise(setImmediate);
    return event;
  };
  const of = (name) => told.filter(([type]) => type === name).map(([, ...args]) => args);
  const hello = () => post({ type: 'hello', session: 'podcasts', delegate: false, canAuthorize: true });
  /** Answers the last call of this type. */
  const answer = (type, value, ok = true) => {
    const [number] = of('call').findLast(([, call]) => call.type === type);
    host.reply(number, ok, value);
  };
  return { longhaul, scope, page, post, dispatch, hello, of, answer, told, reported, host: () => host };
}
