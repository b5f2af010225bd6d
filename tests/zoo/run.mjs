// One run of the zoo: a file of a server, downloaded by the built package in a real browser, and what came of it.
import { lacks } from '../browser/lacks.mjs';
import { download, openPage, outcome, stored } from '../e2e/support.mjs';

/** A cut or a kill comes when so much of the file was sent. */
const EVENT_AT = 0.75;

/** No run has a reason to wait for longer: the servers are there, and none is busy. Three failures in a row are allowed. */
const LONGEST_WAIT_MS = 5_000;

/** A page for the runs, another one after the browser was killed. */
export class Stage {
  constructor(name, browser, proxy) {
    Object.assign(this, { name, browser, proxy });
  }

  /** Opens a page at this origin of the proxy, instead of the one that was there. */
  async open(url) {
    await this.page?.close();
    this.url = url;
    this.page = await openPage(this.browser, url);
  }

  /** Ends the worker in the middle of its work; where the driver cannot stop it alone, the whole browser. */
  async kill() {
    if (!lacks('stop-worker', this.name)) {
      await this.browser.stopWorkers(this.page);
      return;
    }
    await this.browser.kill();
    await this.browser.relaunch();
    this.page = await openPage(this.browser, this.url);
  }
}

/**
 * Ends the worker once enough of what it has read is durable. Resolves with how much is then kept, and how much was sent.
 */
async function killWhenDurable(stage, run, { before, least }) {
  let kept;
  do kept = await durableBytes(stage.page, before);
  while (kept < least());
  run.isKilled = true;
  await stage.kill();
  return { kept, sent: run.sentBytes };
}

/** How many bytes of a body that was not there before are durable. */
async function durableBytes(page, before) {
  const { bodies } = await stored(page);
  const fresh = Object.entries(bodies).filter(([body]) => !(body in before));
  return fresh.flatMap(([, chunks]) => chunks).reduce((sum, [, length]) => sum + length, 0);
}

/** Resolves when the task has ended, is to wait for longer than it ever should, or asks more often than is allowed. */
function untilOver(page, id, run) {
  const endsOrWaits = page.waitForFunction(
    async (id, longest) => {
      const snapshot = (await session.task(id))?.snapshot;
      return !snapshot || snapshot.endedAt || snapshot.waitUntil - Date.now() > longest;
    },
    { polling: 100 },
    id,
    LONGEST_WAIT_MS,
  );
  // The page may be killed meanwhile.
  return Promise.race([endsOrWaits.catch(() => {}), run.tooMany]);
}

/** Resolves with what became of the task, or with what it is doing if it has not ended. */
async function settle(stage, id, run) {
  await untilOver(stage.page, id, run);
  const snapshot = await stage.page.evaluate(async (id) => (await session.task(id)).snapshot, id);
  const { state, reason, resumability, resumabilityReason } = snapshot;
  const ended = snapshot.endedAt ? await outcome(stage.page, id) : { state, reason, resumability };
  return { ...ended, resumabilityReason };
}

/**
 * Downloads one of the `files` of the server at `upstream`, in the way and through the event that `plan` says. Of what was sent
 * before a kill, only what is kept then counts: how much more was on its way is an accident.
 */
export async function play(stage, { plan, files, upstream, far }) {
  const { way, event, expected } = plan;
  const file = files[plan.file];
  const isCoded = expected.resumability.includes('size-unknown');
  // What a server compresses on the way is about as long as what is stored compressed.
  const at = Math.floor((isCoded ? files.stored : file).bytes * EVENT_AT);
  const options = { way, event, at, isCoded, upstream, name: file.name, mostRequests: expected.mostRequests };
  const run = stage.proxy.begin(way === 'own' ? stage.url : far, options);
  const id = [plan.server, plan.file, way, event].join(' ');
  const before = (await stored(stage.page)).bodies;
  await download(stage.page, run.url, { id });
  let wasHeld = false;
  let atKill = { kept: 0, sent: 0 };
  if (event === 'killed') {
    wasHeld = await Promise.race([run.held.then(() => true), untilOver(stage.page, id, run).then(() => false)]);
    // What can be continued is killed when all that came is durable. Other requests wait while one response is held; then less
    // than `at` may have been read of that.
    const isWhole = () => expected.resumability.some((verdict) => verdict.startsWith('resumable')) && run.requests.length === 1;
    if (wasHeld) atKill = await killWhenDurable(stage, run, { before, least: () => (isWhole() ? at : Math.min(at, 1)) });
    run.release();
  }
  const { size, sha256, ...result } = await settle(stage, id, run);
  await stage.page.evaluate(async (id) => {
    const task = await session.task(id);
    if (!task.snapshot.endedAt) await task.cancel();
    await task.release();
  }, id);
  return {
    ...result,
    size,
    isRight: sha256 === file.sha256 && size === file.decodedBytes,
    sent: file.bytes ? Math.round((100 * (atKill.kept + run.sentBytes - atKill.sent)) / file.bytes) / 100 : 0,
    requests: run.requests.length,
    met: event === 'plain' || (event === 'cut' ? run.wasCut : wasHeld),
  };
}
