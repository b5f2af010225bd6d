// The command itself: usage, the report for people, JSON, exit status, and a real nginx.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { bytes } from '../origin/content.mjs';
import { startNginx } from '../origin/nginx.mjs';
import { originFor } from '../origin/testing.mjs';
import { check, complaints, longhaul, MODIFIED, words } from './support.mjs';

test('--help is no mistake', async () => {
  for (const line of [['--help'], ['-h'], ['check', '--help']]) {
    const { status, stdout } = await longhaul(line);
    assert.equal(status, 0);
    for (const option of ['--origin', '--header', '--timeout', '--max-bytes', '--json']) assert.ok(stdout.includes(option), option);
  }
});

test('a mistake in the call is told with what to write instead', async () => {
  for (const [line, said] of [
    [[], /what is to be done\? Write "npx longhaul check URL"/],
    [['chek', 'https://a.example/'], /no command "chek"/],
    [['https://a.example/f'], /write "npx longhaul check https:\/\/a\.example\/f"/],
    [['check'], /one URL, and was given 0/],
    [['check', 'https://a.example/', 'https://b.example/'], /was given 2/],
    [['check', 'a.example/f'], /write https:\/\/a\.example\/f/],
    [['check', 'localhost:8080/f'], /write https:\/\/localhost:8080\/f/],
    [['check', '/f.bin'], /is no URL/],
    [['check', 'ftp://a.example/f'], /neither http: nor https:/],
    [['check', 'https://user:word@a.example/f'], /Authorization: Basic/],
    [['check', 'https://a.example/', '--orign', 'https://b.example'], /Unknown option '--orign'\n/],
    [['check', 'https://a.example/', '--origin'], /argument missing/],
    [['check', 'https://a.example/', '--origin', 'app.example'], /write it like https:\/\/app\.example/],
    [['check', 'https://a.example/', '--origin', 'https://b.example/page'], /write https:\/\/b\.example/],
    [['check', 'https://a.example/', '--header', 'Authorization'], /write 'Name: value'/],
    [['check', 'https://a.example/', '--header', 'A b: c'], /no header that can be sent/],
    [['check', 'https://a.example/', '--header', 'Range: bytes=0-'], /leave it out/],
    [['check', 'https://a.example/', '--timeout', 'soon'], /--timeout soon is no number/],
    [['check', 'https://a.example/', '--timeout', '0'], /above 0/],
    [['check', 'https://a.example/', '--max-bytes', '-1'], /--max-bytes/],
  ]) {
    const { status, stdout, stderr } = await longhaul(line);
    assert.deepEqual([status, stdout], [2, ''], line.join(' '));
    assert.match(stderr, said);
    assert.match(stderr, /Try "npx longhaul --help"\.\n$/);
    assert.doesNotMatch(stderr, /\n {4}at /, 'no stack');
  }
});

test('the report has a line for each finding, the header to add, and the verdict', async (t) => {
  const origin = await originFor(t);
  origin.add('/a.bin', { length: 1000, etag: 'abc', lastModified: MODIFIED });
  const { status, stdout } = await longhaul(['check', `${origin.url}/a.bin`]);
  assert.equal(status, 1);
  const lines = stdout.split('\n');
  assert.equal(lines[0], `${origin.url}/a.bin`);
  const at = lines.findIndex((line) => line.startsWith('warning'));
  assert.match(lines[at], /^warning {2}ETag: abc has no quotes/);
  assert.deepEqual(lines.slice(at + 1, at + 3), ['         → Put it in quotes.', '           ETag: "abc"']);
  assert.match(stdout, /^Verdict: resumable-by-comparison \(weak-tag\): /m);
  assert.match(stdout, /^Not fit for resuming, or only partly\. \d+ requests, \d+ bytes\.$/m);
});

test('JSON holds what a machine decides by', async (t) => {
  const origin = await originFor(t);
  origin.add('/a.bin', { length: 1000, lastModified: MODIFIED });
  const { result } = await check(`${origin.url}/a.bin#part`);
  assert.deepEqual(Object.keys(result), ['fit', 'exitStatus', 'url', 'finalUrl', 'verdict', 'reason', 'findings', 'requests', 'bytes']);
  assert.deepEqual([result.fit, result.exitStatus, result.verdict, result.reason], [true, 0, 'resumable', 'strong-tag']);
  assert.equal(result.requests, origin.log.length);
});

test('the guide names the codes that there are', async () => {
  const folder = new URL('../../cli/', import.meta.url);
  const sources = await Promise.all((await fs.readdir(folder)).map((name) => fs.readFile(new URL(name, folder), 'utf8')));
  // Calls that make a finding, and the tables of causes.
  const patterns = [/\b(?:ok|warning|problem|level)\('([a-z-]+)'/g, /^ {2}'(redirect-[a-z-]+)': \[/gm, /\], '([a-z-]+)',/g, /\bcode: '([a-z-]+)'/g];
  const codes = new Set(sources.flatMap((text) => patterns.flatMap((pattern) => [...text.matchAll(pattern)].map(([, code]) => code))));
  const guide = await fs.readFile(new URL('../../docs/guide/your-server.md', import.meta.url), 'utf8');
  const named = [...guide.slice(guide.indexOf('| about | codes |')).matchAll(/`([a-z-]+)`/g)].map(([, code]) => code);
  assert.deepEqual([...codes].sort(), named.sort());
});

test('a large file costs about 2 MiB at most, and some 20 requests', async (t) => {
  const origin = await originFor(t);
  origin.add('/a.bin', { length: 2 ** 31, lastModified: MODIFIED, cors: 'expose', exposed: ['*'] });
  const { status, result } = await check(`${origin.url}/a.bin`, ['--origin', 'https://app.example']);
  assert.equal(status, 0);
  assert.ok(result.bytes <= 2 << 20, `${result.bytes} bytes`);
  assert.ok(result.requests <= 20, `${result.requests} requests`);
});

test('each request comes on a connection of its own', async (t) => {
  const origin = await originFor(t);
  origin.add('/a.bin', { length: 100_000, lastModified: MODIFIED });
  await check(`${origin.url}/a.bin`);
  assert.ok(origin.log.every(({ headers }) => headers.connection === 'close'));
});

/** An nginx with one file, at `/files/a.bin`. */
async function nginxWith(t, options) {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-test-'));
  t.after(() => fs.rm(dir, { recursive: true }));
  await fs.mkdir(path.join(dir, 'files'));
  await fs.writeFile(path.join(dir, 'files/a.bin'), bytes(7, 0, 3_000_000));
  await fs.utimes(path.join(dir, 'files/a.bin'), 1e9, 1e9);
  const nginx = await startNginx({ root: dir, ...options });
  t.after(() => nginx.close());
  return `${nginx.url}/files/a.bin`;
}

test('nginx is fit', async (t) => {
  const { status, result } = await check(await nginxWith(t));
  assert.deepEqual([status, words(result), complaints(result)], [0, 'resumable strong-tag', []]);
});

test('nginx is fit for a page, too, with what the guide says', async (t) => {
  const guide = await fs.readFile(new URL('../../docs/guide/your-server.md', import.meta.url), 'utf8');
  const [http, server] = [...guide.matchAll(/```nginx\n(.*?)```/gs)].map(([, text]) => text);
  const url = await nginxWith(t, { http, server });
  const { status, result } = await check(url, ['--origin', 'https://app.example', '--header', 'Authorization: Bearer x']);
  assert.deepEqual([status, words(result.page), complaints(result)], [0, 'resumable strong-tag', []]);
});
