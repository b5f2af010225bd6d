// The tour: one download in a real Chromium that loses its page, its worker and its browser, told step by step, with
// the figures that prove each step. Every stage checks what it says; the first that does not hold ends the tour.
import fs from 'node:fs';
import path from 'node:path';
import { launchChromium } from '../tests/browser/chromium.mjs';
import { lengthOf, rangesOf, stored } from '../tests/browser/storage.mjs';
import { Ledger } from '../tests/e2e/ledger.mjs';
import { parseRange } from '../tests/origin/rfc9110.mjs';
import { root } from './setup.mjs';

const MIB = 1 << 20;
/** Bytes per second and connection. */
const PACE = 3 * MIB;
const BIG = '/sample/sample.bin';
const STAGE_TIMEOUT_MS = 60_000;

const percent = (part, whole) => Math.floor((100 * part) / whole);
const megabytes = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

/** Draws a bar that grows in place in a terminal, and a line per tenth elsewhere. */
function createBar(out, total) {
  let last = -1;
  return (done) => {
    const step = out.isTTY ? percent(done, total) : Math.floor(percent(done, total) / 10) * 10;
    if (step <= last) return;
    last = step;
    const filled = Math.round((30 * Math.min(done, total)) / total);
    const bar = `  [${'█'.repeat(filled)}${'·'.repeat(30 - filled)}] ${String(percent(done, total)).padStart(3)} %  ${megabytes(done)}`;
    out.write(out.isTTY ? `\r${bar}` : `${bar}\n`);
  };
}

class Tour {
  #server;
  #out;
  #seconds = {};
  #bar;
  #total = 0;
  /** What was durable when, against what was asked for afterwards. */
  #ledger;

  constructor(server, out) {
    this.#server = server;
    this.#out = out;
  }

  async #stage(name, title, action) {
    this.#out.write(`${this.#out.isTTY ? '\n' : ''}▸ ${title}\n`);
    const started = performance.now();
    const result = await action();
    this.#seconds[name] = Number(((performance.now() - started) / 1000).toFixed(1));
    return result;
  }

  #tell(text) {
    this.#out.write(`${this.#out.isTTY ? '\n' : ''}  ${text}\n`);
  }

  #check(holds, claim) {
    if (!holds) throw new Error(`the tour found that this does not hold: ${claim}`);
    this.#tell(`✓ ${claim}`);
  }

  get #requests() {
    const all = this.#server.log.filter((entry) => entry.path === BIG && entry.method === 'GET');
    return all.map((entry) => ({ ...entry, range: parseRange(entry.range) }));
  }

  /** How much of the file the server has sent. */
  #sent() {
    return this.#requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  /** Resolves once `holds` is true, and draws the bar meanwhile. */
  #until(holds, what) {
    return new Promise((resolve, reject) => {
      const deadline = Date.now() + STAGE_TIMEOUT_MS;
      const timer = setInterval(() => {
        if (this.#total) this.#bar(Math.min(this.#sent(), this.#total));
        if (holds()) resolve(clearInterval(timer));
        else if (Date.now() > deadline) reject(clearInterval(timer) ?? new Error(`waited in vain for ${what}`));
      }, 50);
    });
  }

  #reach(share) {
    return this.#until(() => this.#sent() >= share * this.#total, `${100 * share} % of the file`);
  }

  /** How many segments are being sent at this moment. */
  #open() {
    return this.#requests.filter(({ endedAt }) => endedAt === undefined).length;
  }

  async #checkLedger(claim) {
    const { fetchedTwice } = await this.#ledger.check();
    this.#check(fetchedTwice === 0, claim);
  }

  /** A page of the same origin that runs none of the app's code, to look at the database and to wake the worker. */
  async #bystander(chromium) {
    return chromium.newPage(`${this.#server.url}icon.svg`);
  }

  async run() {
    const chromium = await launchChromium();
    try {
      return await this.#run(chromium);
    } finally {
      await chromium.close();
    }
  }

  async #run(chromium) {
    const { url, setRate } = this.#server;
    const base = url.replace(/\/$/, '');
    const head = await fetch(base + BIG, { method: 'HEAD' });
    this.#total = Number(head.headers.get('content-length'));
    const expected = (await (await fetch(`${base}${BIG}.sha256`)).text()).trim().split(/\s+/)[0];
    this.#bar = createBar(this.#out, this.#total);
    this.#ledger = new Ledger(this.#total, () => this.#requests);
    setRate(PACE);

    const page = await this.#stage('started', `a page starts a download of ${megabytes(this.#total)} (and a small one)`, async () => {
      const page = await chromium.newPage(url);
      await page.setViewport({ width: 390, height: 844 });
      await page.waitForSelector('body[data-ready]');
      await page.click('#add [type=submit]');
      await this.#reach(0.1);
      return page;
    });

    await this.#stage('pageClosed', 'every page of the app is closed', async () => {
      await page.evaluate(async () => (await import('longhaul')).openSession('demo').then((session) => session.download('./sample/hills.svg', { id: 'small' })));
      await page.close();
      this.#tell(`page closed at ${percent(this.#sent(), this.#total)} %`);
      await this.#reach(0.35);
      this.#check(this.#open() > 0, `the worker went on by itself, with ${this.#open()} segments at once`);
    });

    await this.#stage('workerStopped', 'the service worker is stopped', async () => {
      const bystander = await this.#bystander(chromium);
      await chromium.stopWorkers(bystander);
      const durable = this.#ledger.noteRanges(bigBody(await stored(bystander)));
      const before = this.#requests.length;
      this.#tell(`stopped; ${megabytes(lengthOf(durable))} are durable. Any message wakes it again:`);
      await bystander.evaluate(async () => (await navigator.serviceWorker.getRegistration('/')).active.postMessage({ longhaul: 1, type: 'wake' }));
      await this.#until(() => this.#requests.length > before, 'the next request');
      await this.#checkLedger('it went on with what was missing: no committed byte was asked for again');
      await bystander.close();
      await this.#reach(0.65);
    });

    const waiting = await this.#stage('browserKilled', 'the whole browser is killed (SIGKILL) and started again', async () => {
      await chromium.kill();
      await chromium.relaunch();
      const bystander = await this.#bystander(chromium);
      const state = await stored(bystander);
      const durable = this.#ledger.noteRanges(bigBody(state));
      this.#tell(`${megabytes(lengthOf(durable))} of ${megabytes(this.#total)} were durable, in ${durable.length} range(s)`);
      await bystander.close();
      return state.rows.outbox;
    });

    const asked = this.#requests.length;
    const back = await this.#stage('pageBack', 'a page comes back and names the same session', async () => {
      const page = await chromium.newPage(url);
      await page.setViewport({ width: 390, height: 844 });
      await page.waitForSelector('body[data-ready]');
      await page.waitForFunction((count) => document.querySelectorAll('#events li').length >= count, {}, waiting);
      const replayed = await page.$$eval('#events li', (items) => items.map((item) => item.dataset.eventType));
      this.#check(waiting > 0 && replayed.length >= waiting, `${waiting} event(s) that happened with no page were replayed: ${replayed.slice(0, waiting).join(', ')}`);
      await this.#until(() => this.#requests.length > asked, 'the next request');
      await this.#checkLedger('the download went on with no call but openSession, and without a byte that was committed');
      await this.#until(() => this.#open() > 1, 'a second segment');
      await this.#screenshot(page, 'demo-running.png');
      setRate(64 * MIB);
      return page;
    });

    const digest = await this.#stage('finished', 'the file is complete', async () => {
      const row = '#tasks > li[data-task-id^="sample.bin"][data-state=completed]';
      await back.waitForSelector(row, { timeout: STAGE_TIMEOUT_MS });
      this.#bar(this.#total);
      await back.click(`${row} [data-action=digest]`);
      await back.waitForSelector(`${row} [data-part=digest] code`);
      const text = await back.$eval(`${row} [data-part=digest] code`, (code) => code.textContent);
      await this.#screenshot(back, 'demo-finished.png');
      return text.replaceAll(/\s/g, '');
    });
    this.#check(digest === expected, `SHA-256 is the server's: ${expected}`);
    setRate();

    const { fetchedTwice, sentBytes, requests, atOnce } = await this.#ledger.check();
    const errors = chromium.errors.filter((error) => !error.includes('favicon'));
    this.#check(errors.length === 0, `no page reported an error${errors.length ? `: ${errors.join('; ')}` : ''}`);
    return {
      ok: true,
      bytes: this.#total,
      requests,
      segmentsAtOnce: atOnce,
      bytesFetchedTwice: sentBytes - this.#total,
      committedBytesFetchedTwice: fetchedTwice,
      eventsReplayed: waiting,
      sha256Match: digest === expected,
      seconds: this.#seconds,
    };
  }

  async #screenshot(page, name) {
    const file = path.join(root, 'out', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    await page.screenshot({ path: file });
    this.#tell(`screenshot: ${path.relative(root, file)}`);
  }
}

/** What is stored of the big file, which has the longest body. */
function bigBody({ bodies }) {
  const all = Object.values(bodies).map(rangesOf);
  return all.sort((one, other) => lengthOf(other) - lengthOf(one))[0] ?? [];
}

/** Runs the tour against a running demo server; resolves with its figures, rejects if a stage does not hold. */
export const runTour = (server, out = process.stdout) => new Tour(server, out).run();
