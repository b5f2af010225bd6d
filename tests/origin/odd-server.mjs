// A server whose answers are up to its owner: it keeps to RFC 9110 or not. It sends at a pace, so that little more is sent
// than is read, and notes what was asked of it.
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { sendBody } from './sender.mjs';
import { findStatic, sendStatic } from './static-files.mjs';

const BYTES_PER_SECOND = 12 << 20;
/** Beside the static files of an app, only what lies here is answered oddly. */
const FOLDER = '/f/';

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** The half-open range that a `Range` header asks for; `undefined` if there is none, or one of another form. */
function readRange(header = '') {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(header) ?? [];
  return start === undefined ? undefined : { start: Number(start), end: end ? Number(end) + 1 : undefined };
}

/** The answer of a server that honours ranges of these bytes. */
export function part(bytes, range, headers = {}) {
  const told = { 'Access-Control-Expose-Headers': 'Content-Range, ETag', ...headers };
  if (!range) return { status: 200, headers: told, body: bytes };
  if (range.start >= bytes.length) return { status: 416, headers: { ...told, 'Content-Range': `bytes */${bytes.length}` } };
  const end = Math.min(range.end ?? bytes.length, bytes.length);
  const contentRange = `bytes ${range.start}-${end - 1}/${bytes.length}`;
  return { status: 206, headers: { 'Content-Range': contentRange, ...told }, body: bytes.subarray(range.start, end) };
}

/** Lets a page of any origin send any header. */
function allow(request, response) {
  response.writeHead(204, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'GET, HEAD',
    'Access-Control-Allow-Headers': request.headers['access-control-request-headers'] ?? '*',
  });
  response.end();
}

/** How the end of a body is told: by its length, by chunks, or by the end of the connection. */
function framing(response, kind, length) {
  if (kind === 'length') return { 'Content-Length': length };
  if (kind === 'close') {
    response.useChunkedEncodingByDefault = false;
    response.shouldKeepAlive = false;
  }
  return {};
}

/** The body, of which only so much is sent before `barrier` resolves. */
const FIRST_BYTES = 16 << 10;
async function* behind(barrier, body, signal) {
  yield body.subarray(0, FIRST_BYTES);
  if (body.length <= FIRST_BYTES) return;
  await barrier(signal);
  yield body.subarray(FIRST_BYTES);
}

/**
 * Sends an answer: `{ status, headers, body, framing = 'length', cutAfter, untilKept, breaks }`. `cutAfter` breaks the connection
 * after so many bytes of the body, once the client has kept `untilKept` bytes of the file. `breaks`: not even a head is sent.
 */
async function send(answer, request, response, { entry, kept, judged, signal }) {
  const { status, headers = {}, body = Buffer.alloc(0), cutAfter, untilKept, breaks } = answer;
  entry.status = status;
  if (breaks) return void response.destroy();
  response.writeHead(status, {
    'Access-Control-Allow-Origin': '*',
    ...framing(response, answer.framing ?? 'length', body.length),
    ...headers,
  });
  if (request.method === 'HEAD') return void response.end();
  const resource = Object.assign(new EventEmitter(), { bytesPerSecond: BYTES_PER_SECOND, latencyMs: 0 });
  const onSent = (count) => void (entry.sentBytes += count);
  const onStall = () => void kept(untilKept, signal).then(() => resource.emit('release'), () => {});
  const stallAfter = untilKept === undefined ? undefined : cutAfter;
  await sendBody(response, { body: judged ? behind(judged, body, signal) : [body], cutAfter, stallAfter }, { resource, signal, onSent, onStall });
}

/**
 * Starts a server whose answers are up to `answer(request, range, number)`, of which `number` counts the GETs before. `kept(bytes)`
 * resolves when the client has kept so much, `judged()` when it has had time to look at a head: what it does not want is not sent. With
 * `staticDirs` it serves an app, too.
 */
export async function startOddServer(answer, { staticDirs, kept, judged } = {}) {
  const log = [];
  const failures = [];

  function begin(request, range) {
    const { method, url, headers } = request;
    const entry = { at: Date.now(), method, url, host: headers.host, headers, range, status: undefined, sentBytes: 0 };
    const number = log.filter((other) => other.method === 'GET').length;
    log.push(entry);
    return { entry, number };
  }

  async function handle(request, response) {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the connection has gone')));
    try {
      if (request.method === 'OPTIONS') return allow(request, response);
      if (staticDirs && !request.url.startsWith(FOLDER)) {
        const file = await findStatic(staticDirs, request.url.split('?')[0]);
        return file ? await sendStatic(file, request, response) : void response.writeHead(404).end();
      }
      const range = readRange(request.headers.range);
      const { entry, number } = begin(request, range);
      await send(answer(request, range, number), request, response, { entry, kept, judged, signal: gone.signal });
    } catch (error) {
      if (gone.signal.aborted || request.socket.destroyed) return;
      failures.push(error);
      response.destroy();
    }
  }

  const server = http.createServer((request, response) => void handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    log,
    /** Throws what went wrong inside the server, so that no test passes over it. */
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      if (failures.length) throw new AggregateError(failures, 'the server itself failed');
    },
  };
}
