// A browser driven by the W3C WebDriver protocol, in the shape of the part of puppeteer that the tests use. WebDriver
// has one current window and answers one command after the other, so each command takes its window along, and none
// of them waits for long: a page's promises are asked about again and again.

import { PATIENCE_MS } from '../patience.mjs';

/** For how long one command waits for a promise of the page; in between the other pages have their turn. */
const TURN_MS = 40;

// Runs in the page. Answers `{}` while the promise is pending.
const TURN = `
const [id, waitMs, done] = arguments;
const promise = window.__pending?.get(id);
if (!promise) done({ gone: true });
else Promise.race([promise, new Promise((resolve) => setTimeout(resolve, waitMs, {}))]).then((answer) => {
  if (answer.settled) window.__pending.delete(id);
  done(answer);
});`;

// Where a page is that was sent to the URL given.
const WHERE = `
if (window.__left || document.readyState !== 'complete') return 'on the way';
return document.URL === 'about:blank' && document.URL !== arguments[0] ? 'nowhere' : 'there';`;

const begin = (call) => `
const [id, json] = arguments;
const args = JSON.parse(json).map(({ value }) => value);
window.__pending ??= new Map();
window.__pending.set(id, new Promise((resolve) => resolve((${call})(...args))).then(
  (value) => ({ settled: true, json: JSON.stringify({ value }) }),
  (error) => ({ settled: true, error: String(error?.stack ? error + '\\n' + error.stack : error) }),
));`;

let calls = 0;

class WebDriverPage {
  #session;
  #handle;
  #url = 'about:blank';
  #closed = false;

  constructor(session, handle) {
    this.#session = session;
    this.#handle = handle;
  }

  url() {
    return this.#url;
  }

  isClosed() {
    return this.#closed;
  }

  async goto(url) {
    await this.#script('sync', 'window.__left = true');
    // The answer may come while the page that is left is still there. And a page whose process is ending just then, as
    // that of a worker without pages does, is empty afterwards: it is sent there again.
    let where;
    do {
      if (where !== 'on the way') await this.#session.command(this.#handle, 'POST', '/url', { url: String(url) });
      where = await this.#script('sync', WHERE, String(url));
    } while (where !== 'there');
    this.#url = await this.#session.command(this.#handle, 'GET', '/url');
  }

  #script(kind, script, ...args) {
    return this.#session.command(this.#handle, 'POST', `/execute/${kind}`, { script, args });
  }

  /** Calls the function in the page and resolves with what its promise does, as JSON would carry it. */
  async evaluate(call, ...args) {
    const id = String(++calls);
    const deadline = Date.now() + this.#session.timeoutMs;
    await this.#script('sync', begin(call), id, JSON.stringify(args.map((value) => ({ value }))));
    while (Date.now() < deadline) {
      const { settled, json, error, gone } = await this.#script('async', TURN, id, TURN_MS);
      if (gone) throw new Error('the page went away during the call');
      if (error !== undefined) throw new Error(error);
      if (settled) return JSON.parse(json).value;
    }
    throw new Error(`the page has not answered in ${this.#session.timeoutMs} ms`);
  }

  /** Calls the function again and again until it returns something true. */
  async waitForFunction(call, { timeout = PATIENCE_MS } = {}, ...args) {
    const deadline = Date.now() + timeout;
    while (!(await this.evaluate(call, ...args))) {
      if (Date.now() > deadline) throw new Error(`not true in ${timeout} ms: ${call}`);
    }
  }

  async close() {
    await this.#session.command(this.#handle, 'DELETE', '/window');
    this.#closed = true;
  }
}

/** A session of the driver at `base`, whose process is `driver`. */
export class WebDriverBrowser {
  #driver;
  #base;
  #first;
  #last = Promise.resolve();

  constructor(driver, base, timeoutMs) {
    this.#driver = driver;
    this.#base = base;
    this.timeoutMs = timeoutMs;
  }

  process() {
    return this.#driver;
  }

  async #request(method, path, body) {
    const response = await fetch(this.#base + path, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${method} ${path.split('/').at(-1)}: ${value.error}: ${value.message}`);
    return value;
  }

  /** Begins the session. Its first window stays open, since closing the last one would end it. */
  async begin(capabilities) {
    const { sessionId } = await this.#request('POST', '/session', { capabilities: { alwaysMatch: capabilities } });
    this.#base += `/session/${sessionId}`;
    this.#first = await this.#request('GET', '/window');
  }

  /** A command for this window, or for the session; commands are carried out one after the other. */
  command(handle, method, path, body) {
    const answer = this.#last.then(async () => {
      if (handle) await this.#request('POST', '/window', { handle });
      return this.#request(method, path, body);
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  async newPage() {
    const { handle } = await this.command(this.#first, 'POST', '/window/new', { type: 'window' });
    return new WebDriverPage(this, handle);
  }

  /** Ends the session, which closes its windows, and then the driver with its browser. */
  async close() {
    await this.command(undefined, 'DELETE', '');
    process.kill(-this.#driver.pid, 'SIGTERM');
  }
}
