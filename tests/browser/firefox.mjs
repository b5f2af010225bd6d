// A real Firefox for tests, with what chromium.mjs offers. puppeteer drives it by WebDriver BiDi; what that has no word
// for (service workers, processes) is asked of the browser's own chrome scope.
import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';
import { findFirefox } from '../../tools/setup.mjs';
import { BrowserProcess, launch } from './process.mjs';
import { PATIENCE_MS } from '../patience.mjs';

/** Calls `action(worker)`, in the chrome scope, for each active service worker; the results as an array. */
const forEachWorker = (action) => `(async () => {
  const registrations = Cc['@mozilla.org/serviceworkers/manager;1'].getService(Ci.nsIServiceWorkerManager).getAllRegistrations();
  const results = [];
  for (let at = 0; at < registrations.length; at++) {
    const worker = registrations.queryElementAt(at, Ci.nsIServiceWorkerRegistrationInfo).activeWorker;
    if (worker) results.push(await (${action})(worker));
  }
  return JSON.stringify(results);
})()`;

// A worker that is not running has no deadline.
const STOP = forEachWorker('async (worker) => worker.lifetimeDeadline > 0 && (await worker.terminateWorker(), true)');
const RUNNING = forEachWorker('(worker) => worker.lifetimeDeadline > 0 && worker.scriptSpec');

/** SIGKILL of all processes that run pages and service workers; resolves when the browser knows that they have gone. */
const KILL_CONTENT = `(async () => {
  const { children } = await ChromeUtils.requestProcInfo();
  const pids = children.filter(({ type }) => type.startsWith('web')).map(({ pid }) => pid);
  await new Promise((resolve) => {
    let gone = 0;
    const observer = () => {
      if (++gone < pids.length) return;
      Services.obs.removeObserver(observer, 'ipc:content-shutdown');
      resolve();
    };
    Services.obs.addObserver(observer, 'ipc:content-shutdown');
    const tools = Cc['@mozilla.org/processtools-service;1'].getService(Ci.nsIProcessToolsService);
    for (const pid of pids) tools.kill(pid);
  });
  return pids.length;
})()`;

/** `expression` in a window that has the browser's own objects, else `null`: in older versions not every window has them. */
const inScope = (expression) => `['Cc', 'ChromeUtils', 'Services'].every((name) => name in globalThis) ? ${expression} : null`;

class Firefox extends BrowserProcess {
  start() {
    const { args = [], headless = true, executablePath = findFirefox(), timeoutMs = PATIENCE_MS, prefs = {} } = this.options;
    return puppeteer.launch({
      browser: 'firefox',
      executablePath,
      ignoreDefaultArgs: true,
      // Without the last flag the chrome scope is closed to us.
      args: [...(headless ? ['--headless'] : []), '--profile', this.profile, '--remote-allow-system-access', ...args, 'about:blank'],
      // What is saved goes where the tests look, as in the other browsers.
      extraPrefsFirefox: { 'browser.download.folderList': 2, 'browser.download.dir': path.join(this.profile, 'saved'), ...prefs },
      defaultViewport: null,
      protocolTimeout: timeoutMs,
    });
  }

  async kill() {
    await super.kill();
    await this.#profileRestored();
  }

  async quit() {
    await super.quit();
    await this.#profileRestored();
  }

  /** puppeteer puts the profile's settings back when it has seen the browser exit; a start before that would miss them. */
  async #profileRestored() {
    while ((await fs.readdir(this.profile)).some((name) => name.endsWith('.puppeteer'))) await pause(10);
  }

  /** Evaluates `expression`, which gives or resolves with JSON, in the browser's own scope. */
  async #chrome(expression) {
    const { connection } = this.browser;
    const send = async (method, params) => (await connection.send(method, params)).result;
    const { contexts } = await send('browsingContext.getTree', { 'moz:scope': 'chrome' });
    for (const { context } of contexts) {
      const answer = await send('script.evaluate', { expression: inScope(expression), target: { context }, awaitPromise: true });
      if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text);
      if (answer.result.type !== 'null') return JSON.parse(answer.result.value);
    }
    throw new Error('no window of the browser has its own scope');
  }

  /** Stops every service worker of the browser; the next event starts it again. Resolves with how many ran. */
  async stopWorkers() {
    return (await this.#chrome(STOP)).filter(Boolean).length;
  }

  /** Whether a service worker of the page's origin is running. */
  async workerRunning(page) {
    const { origin } = new URL(page.url());
    return (await this.#chrome(RUNNING)).some((script) => script && new URL(script).origin === origin);
  }

  /** SIGKILL of the processes that run pages and service workers: which of them runs whose worker is not told. */
  async killRenderer() {
    await this.#chrome(KILL_CONTENT);
  }
}

/** Launches Firefox, with `launchChromium`'s options and `prefs`, which are Firefox's own settings. */
export const launchFirefox = (options = {}) => launch(Firefox, options);
