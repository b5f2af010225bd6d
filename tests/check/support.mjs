// What the tests of `npx longhaul check` share: the command as a process of its own, and servers of odd dialects.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { Resource } from '../origin/resource.mjs';

export const MODIFIED = 'Mon, 07 Nov 1994 08:49:37 GMT';
export const PAGE = 'https://app.example';

const command = fileURLToPath(new URL('../../cli/longhaul.mjs', import.meta.url));

/** Runs `longhaul …words`: `{ status, stdout, stderr }`. */
export async function longhaul(words, env = {}) {
  const child = spawn(process.execPath, [command, ...words], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) child[stream].setEncoding('utf8').on('data', (text) => (said[stream] += text));
  const [status] = await once(child, 'close');
  return { status, ...said };
}

/** The check of `url` as JSON: `{ status, result, levels }`; `levels` are the findings' levels by their codes. */
export async function check(url, words = [], env = {}) {
  const { status, stdout, stderr } = await longhaul(['check', url, '--json', ...words], env);
  if (!stdout) throw new Error(`the check said nothing:\n${stderr}`);
  const result = JSON.parse(stdout);
  return { status, result, levels: Object.fromEntries(result.findings.map(({ code, level }) => [code, level])) };
}

/** `verdict reason`, from outside or for the page. */
export const words = ({ verdict, reason }) => `${verdict} ${reason}`;

/** What is no `ok`, as `level code`. */
export const complaints = ({ findings }) => findings.filter(({ level }) => level !== 'ok').map(({ level, code }) => `${level} ${code}`);

/** Starts a server that ends with the test; resolves with its URL. `tls`: `{ key, cert }`. */
export async function serve(t, handle, tls) {
  const server = tls ? https.createServer(tls, handle) : http.createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
}

/**
 * A server of one file (`fields` of a Resource), whose right answers `alter` changes: `({ request, count, answer, body })`
 * returns what replaces `status`, `headers` or `body`. Header values of `undefined` are left out.
 */
export async function oddServer(t, fields, alter, tls) {
  const resource = new Resource({ length: 200_000, seed: 3, lastModified: MODIFIED, ...fields });
  let count = 0;
  const url = await serve(t, (request, response) => {
    const answer = resource.answer(request, {});
    const right = Buffer.concat([...(answer.body ?? resource.body(answer))]);
    const { status = answer.status, headers = {}, body = right } = alter({ request, count, answer, body: right }) ?? {};
    count += 1;
    const all = Object.entries({ ...answer.headers, ...headers }).filter(([, value]) => value !== undefined);
    response.writeHead(status, Object.fromEntries(all));
    response.end(request.method === 'HEAD' ? undefined : body);
  }, tls);
  return `${url}/file.bin`;
}
