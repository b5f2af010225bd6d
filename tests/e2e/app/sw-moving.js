// A worker that says by a request which events it is given, and what is there then of the file in the cache `files`, under
// the task's URL, and in the origin private file system, under its path. What is written anywhere waits behind its first
// chunk for as long as there is a `/hold` in the cache `hold`.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');

const say = (what) => fetch(`/said/${what}`, { cache: 'no-store' }).catch(() => {});

async function sha256(blob) {
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function inCache(id) {
  const found = await (await caches.open('files')).match(`/${id}`);
  return found ? sha256(await found.blob()) : 'nothing';
}

async function inOpfs(id) {
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('podcasts');
    return await sha256(await (await folder.getFileHandle(id)).getFile());
  } catch {
    return 'nothing';
  }
}

const isHeld = async () => (await (await caches.open('hold')).match('/hold')) !== undefined;
const { write } = WritableStreamDefaultWriter.prototype;
WritableStreamDefaultWriter.prototype.write = async function (bytes) {
  await write.call(this, bytes);
  if (!(await isHeld())) return;
  await say('held');
  while (await isHeld()) await new Promise((resolve) => setTimeout(resolve, 50));
};

longhaul.attach(self, {
  wasm: '/longhaul/longhaul.wasm',
  ...quiet,
  serveOriginalUrls: ({ pathname }) => pathname.startsWith('/podcasts/') || (pathname.startsWith('/mine/') && 'podcasts'),
  onEvents: async (session, events) => {
    for (const { type, taskId: id } of events) await say(`${type}/${id}/cache-${await inCache(id)}/opfs-${await inOpfs(id)}`);
  },
});
