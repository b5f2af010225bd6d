// A real Chromium for tests: its service workers can be stopped, its renderers and the whole browser killed, and it
// can be started again on the same profile. Runs with its own flags instead of puppeteer's, which turn off the
// throttling that users get. puppeteer lets go of service workers at once, so they live and die as at a user's.
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { findChromium } from '../../tools/setup.mjs';
import { collectErrors } from './page.mjs';
import { rendererPid } from './renderer.mjs';
import { stopWorkers, workerRunning } from './workers.mjs';

/** What every Chromium of ours is started with, headless or not. */
export const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

class Chromium {
  #options;
  #profileIsOurs;
  #exited;

  constructor(options, profile) {
    this.#options = options;
    this.#profileIsOurs = options.profile === undefined;
    /** The user data folder. */
    this.profile = profile;
    /** puppeteer's Browser; another one after `relaunch`. */
    this.browser = undefined;
    /** What the pages of `newPage` reported: console errors, uncaught exceptions. A test may assert it is empty. */
    this.errors = [];
  }

  get pid() {
    return this.browser.process().pid;
  }

  /** Starts the browser again on the same profile, after `kill` or `quit`. */
  async relaunch() {
    const { args = [], headless = true, executablePath = findChromium(), timeoutMs = 60_000 } = this.#options;
    this.browser = await puppeteer.launch({
      executablePath,
      ignoreDefaultArgs: true,
      args: [...FLAGS, ...(headless ? ['--headless=new'] : []), `--user-data-dir=${this.profile}`, ...args, 'about:blank'],
      defaultViewport: null,
      // No call hangs a test: an `evaluate` whose page or worker died is rejected.
      protocolTimeout: timeoutMs,
    });
    // All its processes hold its output pipes, so they have gone when these are closed.
    this.#exited = once(this.browser.process(), 'close');
  }

  /** Opens a page, at `url` if given, whose errors go to `errors`. */
  async newPage(url) {
    const page = await this.browser.newPage();
    collectErrors(page, this.errors);
    if (url) await page.goto(url);
    return page;
  }

  stopWorkers(page) {
    return stopWorkers(page);
  }

  workerRunning(page) {
    return workerRunning(page);
  }

  /** SIGKILL of the process that renders this page, and with it of the service workers that live there. */
  async killRenderer(page) {
    const crashed = new Promise((resolve) => page.once('error', resolve));
    process.kill(await rendererPid(page), 'SIGKILL');
    await crashed;
  }

  /** SIGKILL of the whole browser, all processes at once; resolves when they have gone. */
  async kill() {
    process.kill(-this.pid, 'SIGKILL');
    await this.#exited;
  }

  /** Lets the browser exit as a user does; the profile stays. */
  async quit() {
    await this.browser.close();
    await this.#exited;
  }

  /** The end: quits the browser if it runs, and removes the profile if it was a temporary one. */
  async close() {
    const { exitCode, signalCode } = this.browser.process();
    if (exitCode === null && signalCode === null) await this.quit();
    if (this.#profileIsOurs) await fs.rm(this.profile, { recursive: true });
  }
}

/**
 * Launches Chromium: `{ profile, args, headless = true, executablePath, timeoutMs }`, all optional. Without
 * `profile` a temporary one is made, which `close` removes. `timeoutMs` is the longest that one CDP call,
 * such as `page.evaluate`, may take.
 */
export async function launchChromium(options = {}) {
  const profile = options.profile ?? (await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-chromium-')));
  const chromium = new Chromium(options, profile);
  await chromium.relaunch();
  return chromium;
}
