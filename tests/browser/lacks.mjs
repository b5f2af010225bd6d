// What a browser, or its driver, cannot do, and why. A test that needs it is skipped there with this reason:
// `test(name, { skip: lacks('stop-worker') }, …)`.
import { spawnSync } from 'node:child_process';
import { findFirefox } from '../../tools/setup.mjs';
import { browserName } from './launch.mjs';

const PUSH = 'only the protocol of Chromium can deliver a push message without a push service';

const FREEZE = 'only the protocol of Chromium can freeze a page';
const SYNC = 'the browser has no Background Sync';
const BACKGROUND_FETCH = 'only Chromium has Background Fetch';
const QUOTA = 'only the protocol of Chromium can set how much an origin may store';

/** From this version on WebDriver BiDi reaches the browser's own scope (`moz:scope`). */
const FIRST_FIREFOX_WITH_SCOPE = 148;
const SCOPE = `Firefox opens its own scope to its driver only since version ${FIRST_FIREFOX_WITH_SCOPE}`;

let firefoxVersion;
function isOldFirefox() {
  firefoxVersion ??= Number(/ (\d+)/.exec(spawnSync(findFirefox(), ['--version'], { encoding: 'utf8' }).stdout)?.[1]);
  return firefoxVersion < FIRST_FIREFOX_WITH_SCOPE;
}

const LACKS = {
  chromium: {},
  firefox: {
    push: PUSH,
    quota: QUOTA,
    'background-fetch': BACKGROUND_FETCH,
    'freeze-page': FREEZE,
    'background-sync': SYNC,
  },
  webkit: {
    push: PUSH,
    quota: QUOTA,
    'freeze-page': FREEZE,
    'background-sync': SYNC,
    'background-fetch': BACKGROUND_FETCH,
    opfs: 'WebKitGTK has no navigator.storage, and with it no origin private file system',
    'stop-worker': 'WebKit runs a worker in the process of its page and its driver cannot stop it alone',
    'kill-renderer': 'WebKitWebDriver ends its session when a page crashes, so the browser cannot be asked anything after it',
    'tell-cut-chunked-body': 'WebKitGTK ends a chunked body that is cut as if it were complete, and there is no length to hold it against',
    'count-read-back': 'WebKit keeps chunks as ArrayBuffers, and reading these cannot be counted as reading Blobs can',
    'page-errors': 'WebDriver does not tell what a page writes to the console or throws',
  },
};

/** Why this browser cannot do it; `false` if it can. */
export function lacks(ability, name = browserName) {
  if (name === 'firefox' && ['stop-worker', 'kill-renderer'].includes(ability)) return isOldFirefox() && SCOPE;
  return LACKS[name]?.[ability] ?? false;
}
