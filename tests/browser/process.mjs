// What the browsers that puppeteer starts have in common: a profile that outlives them, SIGKILL of all their processes
// at once, and a new start on the same profile.
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { collectErrors } from './page.mjs';
import { PATIENCE_MS } from '../patience.mjs';

/** A subclass has `start()`, which resolves with puppeteer's Browser, running on `profile`. */
export class BrowserProcess {
  #profileIsOurs;
  #exited;

  constructor(options, profile) {
    this.options = options;
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
    this.browser = await this.start();
    // All its processes hold its output pipes, so they have gone when these are closed.
    this.#exited = once(this.browser.process(), 'close');
  }

  /** Opens a page, at `url` if given, whose errors go to `errors`. */
  async newPage(url) {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    collectErrors(page, this.errors);
    if (url) await page.goto(url);
    return page;
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

  /**
   * The end: kills the browser if it runs, and removes the profile if it was a temporary one. Asked to quit, Chromium
   * would stay for as long as a worker's event lasts, which may be minutes.
   */
  async close() {
    const { exitCode, signalCode } = this.browser.process();
    if (exitCode === null && signalCode === null) await this.kill();
    if (this.#profileIsOurs) await fs.rm(this.profile, { recursive: true });
  }
}

/** Launches a browser of this class. Without `options.profile` it gets a temporary one, which `close` removes. */
export async function launch(Browser, options) {
  const profile = options.profile ?? (await fs.mkdtemp(path.join(os.tmpdir(), `longhaul-${Browser.name.toLowerCase()}-`)));
  const browser = new Browser(options, profile);
  await browser.relaunch();
  return browser;
}
