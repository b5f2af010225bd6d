// A service worker in memory that speaks the protocol and does no work. A test swallows its calls, kills it, lets it
// boot again, has it post messages, and looks at what it received. Its living lock goes when it dies, and with it
// every port that was not answered.
import { EventEmitter } from 'node:events';

/** As an answer: the worker received the call and never answers. */
export const SWALLOW = Symbol('swallow');
const PROTOCOL = 1;

export class FakeWorker extends EventEmitter {
  scope = 'https://app.example/';
  /** Every message that a worker received: `{ page, boot, message }`. */
  received = [];
  /** Tasks by id, for the answers. */
  tasks = new Map();
  /** Whether a message starts the worker when it does not run. If not, the message is lost, as with a worker without longhaul. */
  starts = true;
  /** Settled when its wasm is compiled: until then it takes calls in, and does nothing else. */
  compiled = Promise.resolve();
  boot = undefined;
  isWorking = false;
  /** What was registered for Background Sync: a tag, or a tag and how seldom. */
  syncs = [];
  /** Whether the browser has Background Sync; null: it has, and refuses. */
  hasSync = true;
  #locks;
  #pages = new Set();
  #ports = new Set();
  #boots = 0;
  #inbox = Promise.resolve();
  #answers = new Map();

  constructor(locks) {
    super();
    this.setMaxListeners(0);
    this.#locks = locks;
  }

  registrationFor(page) {
    this.#pages.add(page);
    const postMessage = (message, transfer = []) => {
      const copy = structuredClone(message);
      setImmediate(() => {
        // The script alone says so, before the wasm is there.
        if (this.boot || this.starts) transfer[0]?.postMessage('taken');
        this.#inbox = this.#inbox.then(() => this.#take(page, copy, transfer[0]));
      });
    };
    const register = async (...registered) => {
      if (this.hasSync === null) throw new DOMException('denied', 'NotAllowedError');
      this.syncs.push(registered);
    };
    const syncing = this.hasSync === false ? {} : { sync: { register }, periodicSync: { register } };
    return { scope: this.scope, active: { postMessage, state: 'activated', scriptURL: `${this.scope}sw.js` }, waiting: null, installing: null, ...syncing };
  }

  /** Answers this type of call with `answer(call)`: an answer, `{ code }` for an error, `{ raw }` for what is no reply, or `SWALLOW`. */
  answer(type, answer) {
    this.#answers.set(type, answer);
  }

  /** Starts, takes its living lock, and announces itself to all pages, known or not. */
  async start() {
    this.boot = `boot-${++this.#boots}`;
    await this.#locks.take(this.#announcement.lock, this.boot);
    for (const page of this.#pages) this.post(page, this.#announcement);
  }

  /** The browser ends the worker: its locks are free, its ports dead. */
  kill() {
    const died = this.boot;
    this.boot = undefined;
    for (const port of this.#ports) port.close();
    this.#ports.clear();
    this.#locks.drop(died);
  }

  post(page, message) {
    page.deliver(structuredClone({ longhaul: PROTOCOL, ...message }));
  }

  /** Tells the page whether there is work, or when there will be, as the real worker tells every page it knows. */
  setWorking(working, next) {
    this.isWorking = working;
    for (const page of this.#pages) this.post(page, { type: 'working', working, next });
  }

  /** Everything received that fits: `type` of the message or of its call, and `page` if given. */
  all(type, page) {
    return this.received.filter((entry) => {
      const { message } = entry;
      return [message.type, message.call?.type].includes(type) && (!page || entry.page === page);
    });
  }

  /** The `count`th of `all(type, page)`, once it has been received. */
  async next(type, { count = 1, page } = {}) {
    while (this.all(type, page).length < count) await new Promise((resolve) => this.once('received', resolve));
    return this.all(type, page)[count - 1];
  }

  /** Resolves when the page has taken in everything that was posted to it, and its own messages have arrived here. */
  async settled(page) {
    const before = this.all('pong', page).length;
    this.post(page, { type: 'ping' });
    await this.next('pong', { count: before + 1, page });
  }

  get #announcement() {
    return { type: 'boot', boot: this.boot, lock: `longhaul:${this.scope}:${this.boot}` };
  }

  async #take(page, message, port) {
    // The pong is the harness' own barrier; waking a dead worker with it would hide what the page does by itself.
    if (!this.boot && message.type !== 'pong') {
      if (!this.starts) return this.emit('lost');
      await this.compiled;
      await this.start();
    }
    this.received.push({ page, boot: this.boot, message });
    if (message.type === 'hello') {
      this.post(page, this.#announcement);
      this.post(page, { type: 'working', working: this.isWorking });
    }
    if (message.type === 'call') this.#reply(message.call, port);
    this.emit('received');
  }

  #reply(call, port) {
    const answer = (this.#answers.get(call.type) ?? this.#usual)(call);
    if (answer === SWALLOW) this.#ports.add(port);
    else port.postMessage('raw' in answer ? answer.raw : answer.code ? { ok: false, error: answer } : { ok: true, answer });
    if (answer !== SWALLOW) setImmediate(() => port.close());
  }

  #usual = (call) => {
    if (call.type === 'open' || call.type === 'update-session') return { version: 1 };
    if (call.type === 'bulk') return { count: this.tasks.size };
    if (call.type === 'download-all') return { created: call.members.length };
    if (call.type === 'group') return { counts: counts({ active: this.tasks.size }) };
    const id = call.spec?.id ?? call.id;
    if (call.spec && !this.tasks.has(id)) this.tasks.set(id, snapshot({ ...call.spec, url: call.spec.sources[0].url }));
    const task = this.tasks.get(id);
    return task ? { task, created: true } : { code: 'task-not-found' };
  };
}

/** A task as the worker would tell it. */
export function snapshot({ sources, policy, ...fields }) {
  const usual = { url: 'https://app.example/f.bin', state: 'running', receivedBytes: 0, resumability: 'unknown', createdAt: 1 };
  return { ...usual, priority: 'normal', segments: 1, hasPreviousFile: false, restarts: 0, repairs: 0, ...fields };
}

/** A group's counts as the worker would tell them. */
export function counts(fields) {
  const all = { active: 0, paused: 0, completed: 0, failed: 0, cancelled: 0, ...fields };
  return { ...all, total: Object.values(all).reduce((sum, count) => sum + count) };
}
