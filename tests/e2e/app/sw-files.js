// A worker that needs no page: pushed to, it downloads, and files what has come into a cache of its own. It says by a
// request what it has begun and filed, and waits in between for as long as there is a `/hold` in that cache.
importScripts('/longhaul/service-worker.classic.js');

const say = (what) => fetch(`/said/${what}`);

async function file(event) {
  await say(`begun-${event.taskId}?${event.seq}`);
  const files = await caches.open('files');
  while (await files.match('/hold')) await new Promise((resolve) => setTimeout(resolve, 50));
  const task = await (await openSession('podcasts')).task(event.taskId);
  await files.put(`/files/${event.taskId}`, new Response(await task.file().blob()));
  await say(`filed-${event.taskId}`);
}

const { openSession } = longhaul.attach(self, {
  wasm: '/longhaul/longhaul.wasm',
  // Only what a test does wakes it.
  wakeOnFetch: false,
  onEvents: async (session, events) => {
    for (const event of events) await file(event);
  },
  onAllEventsDelivered: (session) => say(`all-of-${session}`),
  notification: (session) => (Notification.permission === 'granted' ? { title: `${session} are there`, url: '/?idle' } : undefined),
});

async function download({ url, id }) {
  const session = await openSession('podcasts');
  await session.download(url, { id });
}

addEventListener('push', (event) => {
  const wanted = event.data.json();
  if (wanted.url) event.waitUntil(download(wanted));
});
