// The file on the disk: made once, of the origin's bytes, and served by nginx at a pace of its own.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { bigFile } from './big-file.mjs';
import { bytes, sha256 } from './content.mjs';
import { startNginx } from './nginx.mjs';

const LENGTH = 5_000_001;

async function temporary(t) {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  t.after(() => fs.rm(dir, { recursive: true }));
  return dir;
}

test('a big file is made once, has the bytes and the digest of its seed, and is made again if it is torn', async (t) => {
  const dir = await temporary(t);
  const file = await bigFile({ seed: 7, length: LENGTH, dir });
  assert.deepEqual(await fs.readFile(file.path), bytes(7, 0, LENGTH));
  assert.equal(file.sha256, sha256(7, LENGTH));
  const { ino, mtimeMs } = await fs.stat(file.path);
  assert.deepEqual(await bigFile({ seed: 7, length: LENGTH, dir }), file);
  assert.deepEqual([(await fs.stat(file.path)).ino, (await fs.stat(file.path)).mtimeMs], [ino, mtimeMs]);
  await fs.truncate(file.path, 1000);
  assert.deepEqual(await bigFile({ seed: 7, length: LENGTH, dir }), file);
  assert.equal((await fs.stat(file.path)).size, LENGTH);
  assert.deepEqual((await fs.readdir(dir)).sort(), [file.name, `${file.name}.sha256`]);
});

test('nginx serves it at two paces, one per location, and names the same version', async (t) => {
  const dir = await temporary(t);
  const { name } = await bigFile({ seed: 7, length: LENGTH, dir });
  const nginx = await startNginx({ root: os.tmpdir(), routes: { '/fast/': dir, '/slow/': { dir, rate: 10_000 } } });
  t.after(() => nginx.close());

  const client = new AbortController();
  const slow = await fetch(`${nginx.url}/slow/${name}`, { signal: client.signal });
  const fast = await fetch(`${nginx.url}/fast/${name}`);
  assert.deepEqual(Buffer.from(await fast.arrayBuffer()), bytes(7, 0, LENGTH));
  assert.equal(slow.headers.get('etag'), fast.headers.get('etag'));
  client.abort();
  const logged = async () => (await nginx.accessLog()).find(({ path: at }) => at === `/slow/${name}`);
  let entry;
  while (!entry) entry = await logged();
  // At 10 kB/s the rest would take minutes.
  assert.ok(entry.bytesSent < LENGTH / 2, `${entry.bytesSent} bytes had left when the fast answer was complete`);
});
