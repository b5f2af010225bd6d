// Service workers as seen from a page's CDP session. Nothing here attaches to a worker's own target: a session
// there would keep the worker alive for as long as it is open.

const UPDATED = 'ServiceWorker.workerVersionUpdated';

/**
 * Calls `action(versions, session, updated)` while the workers of the page's browser are watched. `versions` maps
 * versionId to CDP's ServiceWorkerVersion and is kept up to date; `updated(condition)` resolves when the condition
 * holds.
 */
async function watching(page, action) {
  const session = await page.createCDPSession();
  const versions = new Map();
  const waiting = new Set();
  const updated = (condition) => new Promise((resolve) => waiting.add({ condition, resolve }));
  session.on(UPDATED, ({ versions: changed }) => {
    for (const version of changed) versions.set(version.versionId, version);
    for (const wait of waiting) {
      if (!wait.condition()) continue;
      waiting.delete(wait);
      wait.resolve();
    }
  });
  try {
    // The first report comes also when there is no worker.
    const listed = updated(() => true);
    await session.send('ServiceWorker.enable');
    await listed;
    return await action(versions, session, updated);
  } finally {
    if (!page.isClosed()) await session.detach();
  }
}

const live = ({ runningStatus }) => runningStatus !== 'stopped';

/** Whether a service worker of the page's origin is running or starting. */
export function workerRunning(page) {
  const { origin } = new URL(page.url());
  return watching(page, (versions) =>
    [...versions.values()].some((version) => live(version) && new URL(version.scriptURL).origin === origin),
  );
}

/**
 * Stops every service worker of the browser as the browser itself would: the next event starts it again, which
 * may be at once. Resolves, when each was reported as stopped, with how many there were.
 */
export function stopWorkers(page) {
  return watching(page, async (versions, session, updated) => {
    const running = new Set([...versions.values()].filter(live).map(({ versionId }) => versionId));
    const count = running.size;
    if (count === 0) return 0;
    const stopped = updated(() => {
      for (const id of running) if (!live(versions.get(id))) running.delete(id);
      return running.size === 0;
    });
    await session.send('ServiceWorker.stopAllWorkers');
    await stopped;
    return count;
  });
}
