// Servers that cannot be reached, and what the sentence says about that; TLS; http: for a page of https:.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../origin/port.mjs';
import { originFor } from '../origin/testing.mjs';
import { check, complaints, MODIFIED, oddServer, PAGE, serve, words } from './support.mjs';

// Made for these tests, for 100 years and the name localhost: openssl req -x509 -newkey ec -pkeyopt
// ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost
const pem = fileURLToPath(new URL('self-signed.pem', import.meta.url));
const tls = { key: fs.readFileSync(pem), cert: fs.readFileSync(pem) };

async function unreachable(url, more, env) {
  const { status, result } = await check(url, more, env);
  assert.deepEqual([status, words(result)], [2, 'failed network']);
  const [{ code, seen, change }] = result.findings.slice(-1);
  return { code, said: `${seen} ${change}` };
}

test('a port where nothing listens', async () => {
  const port = await freePort();
  const { code, said } = await unreachable(`http://127.0.0.1:${port}/a`);
  assert.equal(code, 'connection-refused');
  assert.match(said, new RegExp(`port ${port}.*Start the server`));
});

test('a host that no resolver knows', async () => {
  const { code, said } = await unreachable('https://longhaul-check.invalid/a');
  assert.equal(code, 'unknown-host');
  assert.match(said, /longhaul-check\.invalid.*DNS/);
});

test('a redirect to a server that is not there', async (t) => {
  const port = await freePort();
  const origin = await originFor(t);
  origin.add('/a', { redirect: { to: `http://127.0.0.1:${port}/b` } });
  const { code, said } = await unreachable(`${origin.url}/a`);
  assert.equal(code, 'connection-refused');
  assert.match(said, new RegExp(`127.0.0.1:${port}`));
});

test('a server that never answers', async (t) => {
  const url = await serve(t, () => {});
  const { code, said } = await unreachable(url, ['--timeout', '0.2']);
  assert.equal(code, 'timeout');
  assert.match(said, /--timeout/);
});

test('a server whose body stands still is judged by what came', async (t) => {
  const origin = await originFor(t);
  const faults = [{ kind: 'stall', bytes: 1000, when: ({ range }) => range === undefined }];
  origin.add('/a', { length: 3_000_000, lastModified: MODIFIED, faults });
  const { status, result } = await check(`${origin.url}/a`, ['--timeout', '3']);
  assert.deepEqual([status, complaints(result)], [0, []]);
});

test('a connection that ends without an answer', async (t) => {
  const url = await serve(t, (request, response) => response.destroy());
  assert.equal((await unreachable(url)).code, 'connection-lost');
});

test('something that is no HTTP', async (t) => {
  const server = net.createServer((socket) => socket.end('220 mail.example ESMTP\r\n')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { code, said } = await unreachable(`http://127.0.0.1:${server.address().port}/a`);
  assert.equal(code, 'not-http');
  assert.match(said, /no HTTP/);
});

test('https: to a port for http:', async (t) => {
  const url = await serve(t, (request, response) => response.end());
  const { code, said } = await unreachable(url.replace('http:', 'https:'));
  assert.equal(code, 'tls-failed');
  assert.match(said, /write http:/);
});

test('a certificate that is self-signed, and one for another name', async (t) => {
  const url = await oddServer(t, {}, () => undefined, tls);
  const selfSigned = await unreachable(url);
  assert.equal(selfSigned.code, 'tls-self-signed');
  assert.match(selfSigned.said, /NODE_EXTRA_CA_CERTS/);
  assert.equal((await unreachable(url, [], { NODE_EXTRA_CA_CERTS: pem })).code, 'tls-wrong-name');
});

test('a certificate of an authority that was named is taken', async (t) => {
  const url = (await oddServer(t, {}, () => undefined, tls)).replace('127.0.0.1', 'localhost');
  const { status, result } = await check(url, [], { NODE_EXTRA_CA_CERTS: pem });
  assert.deepEqual([status, complaints(result)], [0, []]);
});

test('a page of https: may not load from http:, but from this machine', async (t) => {
  const origin = await originFor(t);
  origin.add('/a', { length: 1000, lastModified: MODIFIED, cors: 'expose', exposed: ['*'] });
  const here = await check(`${origin.url}/a`, ['--origin', PAGE]);
  assert.deepEqual([here.status, complaints(here.result)], [0, []]);
  const away = await check('http://longhaul-check.invalid/a', ['--origin', PAGE]);
  assert.deepEqual(complaints(away.result), ['problem mixed-content', 'problem unknown-host']);
  const unsaid = await check('http://longhaul-check.invalid/a');
  assert.deepEqual(complaints(unsaid.result), ['warning plain-http', 'problem unknown-host']);
});
