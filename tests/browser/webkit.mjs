// A real WebKit (WebKitGTK) for tests, with what chromium.mjs offers as far as it can be had: a tiny browser of our own
// (webkit_browser.py) on an invisible X display, driven by WebKitWebDriver.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findWebKitDriver, findXvfb } from '../../tools/setup.mjs';
import { freePort } from '../origin/port.mjs';
import { BrowserProcess, launch } from './process.mjs';
import { WebDriverBrowser } from './webdriver.mjs';
import { PATIENCE_MS } from '../patience.mjs';

const BROWSER = path.join(path.dirname(fileURLToPath(import.meta.url)), 'webkit_browser.py');

/** An X server that shows nothing to anybody: its process and its display. */
async function startDisplay() {
  const server = spawn(findXvfb(), ['-displayfd', '3', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const [number] = await once(server.stdio[3], 'data');
  return { server, display: `:${String(number).trim()}` };
}

/** Resolves when the driver answers at `base`. */
async function answering(driver, base) {
  while (driver.exitCode === null) {
    const answers = await fetch(`${base}/status`).then(({ ok }) => ok, () => false);
    if (answers) return;
    await pause(20);
  }
  throw new Error(`WebKitWebDriver has ended with ${driver.exitCode}`);
}

/** The processes below this one, by what /proc says. */
function descendants(pid) {
  const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Whether this process has ended; one that nobody has asked for yet has. */
function ended(pid) {
  try {
    return /^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

class WebKit extends BrowserProcess {
  #display;

  async start() {
    const { timeoutMs = PATIENCE_MS } = this.options;
    this.#display ??= await startDisplay();
    const port = await freePort();
    const base = `http://127.0.0.1:${port}`;
    const driver = spawn(findWebKitDriver(), ['-p', String(port)], {
      env: { ...process.env, DISPLAY: this.#display.display },
      stdio: 'ignore',
      // A process group of its own, so that all of it can be killed at once.
      detached: true,
    });
    await answering(driver, base);
    const browser = new WebDriverBrowser(driver, base, timeoutMs);
    await browser.begin({ 'webkitgtk:browserOptions': { binary: BROWSER, args: [this.profile] } });
    return browser;
  }

  async newPage(url) {
    const page = await this.browser.newPage();
    if (url) await page.goto(url);
    return page;
  }

  async kill() {
    await this.#allGone(() => super.kill());
  }

  async quit() {
    await this.#allGone(() => super.quit());
  }

  /** Resolves when `end` has ended the driver and everything that it had started has gone too. */
  async #allGone(end) {
    const pids = descendants(this.pid);
    await end();
    while (!pids.every(ended)) await pause(10);
  }

  async close() {
    await super.close();
    this.#display.server.kill();
    await once(this.#display.server, 'close');
  }
}

/** Launches WebKit: `{ profile, timeoutMs }`, as `launchChromium` has them. */
export const launchWebKit = (options = {}) => launch(WebKit, options);
