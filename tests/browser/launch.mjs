// Which browsers there are to test in, and the one that this run is for.
import { findChromium, findFirefox, findWebKitDriver } from '../../tools/setup.mjs';
import { launchChromium } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';
import { launchWebKit } from './webkit.mjs';

export const launchers = { chromium: launchChromium, firefox: launchFirefox, webkit: launchWebKit };

const find = { chromium: findChromium, firefox: findFirefox, webkit: findWebKitDriver };

/** Whether this browser is on this machine. */
export const installed = (name) => find[name]() !== undefined;

/** The browser of this run, by `LONGHAUL_BROWSER`. */
export const browserName = process.env.LONGHAUL_BROWSER ?? 'chromium';

/** Launches the browser of this run. */
export function launchBrowser(options = {}) {
  const launch = launchers[browserName];
  if (!launch) throw new Error(`no browser "${browserName}"; there are ${Object.keys(launchers).join(', ')}`);
  return launch(options);
}
