// Every run of the zoo, in one browser or in several beside one another.
import path from 'node:path';
import { launchers } from '../browser/launch.mjs';
import { versionsOf } from '../browser/versions.mjs';
import { staticDirs } from '../e2e/support.mjs';
import { startOrigin } from '../origin/server.mjs';
import { checkKey, checkServer, disagreement } from './check.mjs';
import { writeFiles } from './content.mjs';
import { differences, runsOf } from './expected.mjs';
import { checkGuide, guideServers } from './guide.mjs';
import { remarksOn } from './look.mjs';
import { startProxy } from './proxy.mjs';
import { play, Stage } from './run.mjs';
import { startServer, titleOf } from './servers/index.mjs';

/** How often a run in which nothing was cut or held is played again. */
const MOST_REPEATS = 3;

const isMissing = (error) => error.constructor.name === 'MissingServer' || error.code === 'ERR_MODULE_NOT_FOUND';

function sayRun({ browser, server, file, way, event, state, resumability, requests, sent, differences }) {
  const mark = differences.length ? `✖ ${differences.join('; ')}` : '✔';
  const which = `${browser} ${server.padEnd(13)} ${file.padEnd(6)} ${way.padEnd(10)} ${event.padEnd(6)}`;
  console.log(`${which} ${state} ${resumability ?? ''}, ${requests} requests, ${sent} of the file ${mark}`);
}

/** Plays a run. Of several segments side by side none may come as far as the cut: then it is played again. */
async function playUntilMet(stage, run) {
  for (let left = MOST_REPEATS; ; left -= 1) {
    const seen = await play(stage, run);
    if (seen.met || seen.state !== 'completed' || left === 0) return seen;
  }
}

/** Plays the `plans` of a server that was started: `{ browser, server, results, skipped, remarks }`. */
async function playPlans(server, { url: upstream, version }, { stage, content, plans, checks }) {
  const part = { browser: stage.name, server, results: [], skipped: [], remarks: await remarksOn(upstream, content.files) };
  // Origins of its own for each, since the engine may remember things of a host.
  await stage.open(await stage.proxy.listen());
  const far = await stage.proxy.listen();
  // What it says does not depend on the browser.
  checks[server] ??= checkServer({ proxy: stage.proxy, page: stage.url, far, upstream, files: content.files, plans });
  const verdicts = await checks[server];
  for (const plan of plans) {
    if (plan.lacks) {
      part.skipped.push([[stage.name, server, plan.file, plan.way, plan.event].join(' · '), plan.lacks]);
      continue;
    }
    const seen = await playUntilMet(stage, { plan, files: content.files, upstream, far });
    const said = verdicts.get(checkKey(plan));
    const disagreements = disagreement(said, seen);
    const result = { browser: stage.name, version, ...plan, ...seen, said, disagreements, differences: [...differences(seen, plan.expected), ...disagreements] };
    part.results.push(result);
    sayRun(result);
  }
  return part;
}

/** Every run of one server; a server that is not installed is noted among the skipped ones. */
async function playServer(server, { stage, content, isWanted, checks, onPart }, found) {
  const started = await startServer(server, content.folder).catch((error) => {
    if (!isMissing(error)) throw error;
    found.skipped.set(titleOf(server), error.message.split('\n')[0]);
  });
  if (!started) return;
  try {
    const plans = runsOf(server, stage.name).filter(isWanted);
    const part = await playPlans(server, started, { stage, content, plans, checks });
    addPart(part, found);
    onPart?.(part);
  } finally {
    await started.stop();
  }
}

function addPart({ server, results, skipped, remarks }, found) {
  found.results.push(...results);
  for (const [title, reason] of skipped) found.skipped.set(title, reason);
  found.remarks[server] ??= remarks;
}

/** Tries the settings that the guide gives for those of the servers that it has some for. */
async function tryGuide(servers, { folder, files }, found) {
  for (const server of servers.filter((name) => guideServers.includes(name))) {
    const tried = await checkGuide(server, path.join(folder, files.large.name)).catch((error) => {
      if (!isMissing(error)) throw error;
      found.skipped.set(titleOf(server), error.message.split('\n')[0]);
    });
    if (tried) found.guide.push(tried);
  }
}

async function playBrowser(name, servers, parts, found) {
  const origin = await startOrigin({ staticDirs });
  const proxy = await startProxy(origin.url);
  const browser = await launchers[name]();
  try {
    const stage = new Stage(name, browser, proxy);
    for (const server of servers) await playServer(server, { stage, ...parts }, found);
  } finally {
    await browser.close();
    await proxy.close();
    await origin.close();
  }
}

/** Results in the order of the browsers and servers, whichever came first. */
function inOrder(results, browsers, servers) {
  return browsers.flatMap((name) => servers.flatMap((server) => results.filter((result) => result.browser === name && result.server === server)));
}

/**
 * Plays the `files` of the `servers` in the `browsers`: `{ results, guide, skipped, remarks, versions }`. Each result has its plan, what
 * was seen and the `differences` between what was seen and what is expected; `guide` is what became of the guide's settings. The
 * `parts` were played before; `onPart` is given each further one.
 */
export async function playZoo({ browsers, servers, files, parts = [], onPart }) {
  const found = { results: [], skipped: new Map(), remarks: {}, guide: [] };
  const content = await writeFiles();
  const isWanted = ({ file }) => files?.includes(file) ?? true;
  parts.forEach((part) => addPart(part, found));
  const isLeft = (name) => (server) => !parts.some((part) => part.browser === name && part.server === server);
  const shared = { content, isWanted, checks: {}, onPart };
  try {
    await tryGuide(servers, content, found);
    // They mostly wait, so they share the machine.
    const left = browsers.map((name) => [name, servers.filter(isLeft(name))]).filter(([, some]) => some.length);
    const played = await Promise.allSettled(left.map(([name, some]) => playBrowser(name, some, shared, found)));
    const failed = played.find(({ status }) => status === 'rejected');
    if (failed) throw failed.reason;
  } finally {
    await content.remove();
  }
  return {
    ...found,
    results: inOrder(found.results, browsers, servers),
    skipped: [...found.skipped].map(([title, reason]) => ({ title, reason })),
    versions: versionsOf(browsers),
  };
}
