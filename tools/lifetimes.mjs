// `npm run lifetimes [-- --browser chromium|firefox|webkit] [--minutes 6.5] [--only visible|hidden|closed|killed]`: how
// long a download goes on by itself. It is throttled, so that it takes so many minutes; the origin's log tells when bytes
// were asked for. Prints rows for the table in README.md. Takes its time, so it is a command of its own.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { browserNames, main, setup, whyNotHere } from './setup.mjs';

const LENGTH = 24 << 20;

const inSeconds = (ms) => Math.round(ms / 1000);

/** When the file was being sent, in seconds since `began`. */
const spans = (requests, began) =>
  requests.filter(({ endedAt = Infinity }) => endedAt > began).map(({ startedAt, endedAt }) => ({
    from: Math.max(0, inSeconds(startedAt - began)),
    to: endedAt && inSeconds(endedAt - began),
  }));

const told = (all) => all.map(({ from, to }) => `${from}–${to ?? ''} s`).join(', ') || 'nothing';

/** Each is given a world in which the download is under way, and resolves with what became of it. */
const situations = {
  visible: { what: 'a page is open and visible', run: untilFinished },
  hidden: {
    what: 'a page is open, hidden behind another',
    async run(world) {
      const front = await world.browser.newPage('about:blank');
      await front.bringToFront?.();
      const state = await world.page.evaluate(() => document.visibilityState);
      return state === 'hidden' ? untilFinished(world) : 'not tried: its driver hides no page';
    },
  },
  closed: {
    what: 'every page is closed',
    async run(world) {
      await world.browser.newPage('about:blank');
      await world.page.close();
      return watched(world);
    },
  },
  killed: {
    what: 'the browser is killed and started again, without a page of the app',
    async run(world) {
      await world.browser.kill();
      await world.browser.relaunch();
      await world.browser.newPage('about:blank');
      return watched(world);
    },
  },
};

/** With a page open: whether it was ever interrupted, and whether the file is right. */
async function untilFinished({ page, outcome, requests, file }) {
  const { state, sha256 } = await outcome(page, 'slow');
  if (state !== 'completed' || sha256 !== file.sha256) throw new Error(`the download is ${state}`);
  const all = requests();
  const minutes = ((all.at(-1).endedAt - all[0].startedAt) / 60_000).toFixed(1);
  return all.length === 1 ? `goes on: one request of ${minutes} min` : `goes on, interrupted ${all.length - 1} times in ${minutes} min`;
}

/** With none: when bytes came, until all are there or as long as it would have taken undisturbed. */
async function watched({ origin, requests, began, minutes }) {
  const isDone = () => requests().some(({ range, sentBytes, length }) => (range?.start ?? 0) + sentBytes >= length);
  const end = await Promise.race([
    origin.waitFor(isDone, { timeoutMs: 3_600_000 }).then(() => 'to its end'),
    new Promise((resolve) => setTimeout(resolve, minutes * 60_000, `seen for ${minutes} min`)),
  ]);
  return `${told(spans(requests(), began))} (${end})`;
}

async function measure(name, { minutes, startWorld, download, outcome, requestsFor }) {
  const endings = [];
  try {
    const world = await startWorld((end) => endings.push(end), { timeoutMs: 3_600_000 });
    const file = world.origin.add('/slow.bin', { length: LENGTH, seed: 1, bytesPerSecond: Math.ceil(LENGTH / (minutes * 60)) });
    const page = await world.open('?sync&worker=/sw-syncs.js');
    await download(page, '/slow.bin', { id: 'slow', maxSegments: 1 });
    await world.origin.waitForSent('/slow.bin', 1);
    const requests = () => requestsFor(world.origin, '/slow.bin');
    return await situations[name].run({ ...world, page, file, outcome, requests, minutes, began: Date.now() });
  } finally {
    for (const end of endings) await end();
  }
}

await main(async () => {
  const options = { browser: { type: 'string', default: 'chromium' }, minutes: { type: 'string', default: '6.5' }, only: { type: 'string' } };
  const { browser, minutes, only } = parseArgs({ options }).values;
  if (!browserNames.includes(browser)) throw new Error(`no browser ${browser}; there are ${browserNames.join(', ')}`);
  if (only && !(only in situations)) throw new Error(`no situation ${only}; there are ${Object.keys(situations).join(', ')}`);
  await build(await setup({ browsers: [browser] }));
  const reason = whyNotHere(browser);
  if (reason) throw new Error(reason);
  process.env.LONGHAUL_BROWSER = browser;
  const support = await import('../tests/e2e/support.mjs');
  const chosen = only ? [only] : Object.keys(situations);
  console.log(`lifetimes: ${chosen.length} browsers, ${minutes} minutes and more …`);
  // They do next to nothing, so they can do it side by side.
  const rows = await Promise.all(
    chosen.map(async (name) => `| ${situations[name].what} | ${await measure(name, { minutes: Number(minutes), ...support })} |`),
  );
  console.log(`\n| ${browser}, ${new Date().toISOString().slice(0, 10)} | the download |\n| --- | --- |\n${rows.join('\n')}`);
});
