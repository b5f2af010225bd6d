// The browser that this run of the tests is for.
import { launchChromium } from './chromium.mjs';
import { launchFirefox } from './firefox.mjs';
import { launchWebKit } from './webkit.mjs';

export const launchers = { chromium: launchChromium, firefox: launchFirefox, webkit: launchWebKit };

/** The browser of this run, by `LONGHAUL_BROWSER`. */
export const browserName = process.env.LONGHAUL_BROWSER ?? 'chromium';

/** Launches the browser of this run. */
export const launchBrowser = (options = {}) => launchers[browserName](options);
