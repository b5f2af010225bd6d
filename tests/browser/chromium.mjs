// A real Chromium for tests: its service workers can be stopped, its renderers and the whole browser killed, and it
// can be started again on the same profile. Runs with its own flags instead of puppeteer's, which turn off the
// throttling that users get. puppeteer lets go of service workers at once, so they live and die as at a user's.
import puppeteer from 'puppeteer-core';
import { findChromium } from '../../tools/setup.mjs';
import { BrowserProcess, launch } from './process.mjs';
import { rendererPid } from './renderer.mjs';
import { stopWorkers, workerRunning } from './workers.mjs';
import { PATIENCE_MS } from '../patience.mjs';

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

class Chromium extends BrowserProcess {
  start() {
    const { args = [], headless = true, executablePath = findChromium(), timeoutMs = PATIENCE_MS } = this.options;
    return puppeteer.launch({
      executablePath,
      ignoreDefaultArgs: true,
      args: [...FLAGS, ...(headless ? ['--headless=new'] : []), `--user-data-dir=${this.profile}`, ...args, 'about:blank'],
      defaultViewport: null,
      // No call hangs a test: an `evaluate` whose page or worker died is rejected.
      protocolTimeout: timeoutMs,
    });
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
}

/**
 * Launches Chromium: `{ profile, args, headless = true, executablePath, timeoutMs }`, all optional. Without
 * `profile` a temporary one is made, which `close` removes. `timeoutMs` is the longest that one CDP call,
 * such as `page.evaluate`, may take.
 */
export const launchChromium = (options = {}) => launch(Chromium, options);
