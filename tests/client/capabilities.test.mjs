// What a page is told of its browser: measured values for each, and the browser's own word where it gives one.
import assert from 'node:assert/strict';
import { startWorld, test } from './support.mjs';

const CHROMIUM = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36';
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
const WEBKIT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15';

async function capabilities(t, userAgent, { states = {}, registration = {}, ...navigator } = {}) {
  const query = async ({ name }) => {
    if (!(name in states)) throw new TypeError(`no permission ${name}`);
    return { state: states[name] };
  };
  const page = startWorld(t).newPage({ userAgent, permissions: { query }, ...navigator });
  Object.assign(page.registration, registration);
  return page.client.capabilities({ serviceWorker: page.registration });
}

test('Chromium, with all that it has', async (t) => {
  const found = await capabilities(t, CHROMIUM, {
    states: { 'background-fetch': 'prompt', 'background-sync': 'granted', 'periodic-background-sync': 'denied' },
    registration: { backgroundFetch: {}, sync: {}, periodicSync: {} },
    connection: Object.assign(new EventTarget(), { type: 'wifi' }),
    storage: { persisted: async () => true },
  });
  const revivedBy = ['background-fetch', 'background-sync'];
  assert.deepEqual(found, {
    hidden: { then: 'goes-on', revivedBy },
    closed: { then: 'for-a-while', ms: 310_000, revivedBy },
    browserClosed: { then: 'stops', revivedBy },
    backgroundFetch: 'prompt',
    backgroundSync: 'granted',
    periodicSync: 'denied',
    meteringIsKnown: true,
    storageIsPersistent: true,
  });
});

test('Firefox and WebKit have none of that, and say little', async (t) => {
  for (const [userAgent, ms] of [[FIREFOX, 60_000], [WEBKIT, 10_000], ['something new', 10_000]]) {
    const { closed, backgroundFetch, meteringIsKnown, storageIsPersistent } = await capabilities(t, userAgent);
    assert.deepEqual(closed, { then: 'for-a-while', ms, revivedBy: [] });
    assert.deepEqual([backgroundFetch, meteringIsKnown, storageIsPersistent], ['missing', false, false]);
  }
});

test('a browser that has it but knows no such permission is not promised for', async (t) => {
  const found = await capabilities(t, CHROMIUM, { registration: { sync: {} } });
  assert.deepEqual([found.backgroundSync, found.closed.revivedBy], ['prompt', []]);
});
