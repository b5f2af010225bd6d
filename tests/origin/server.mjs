// The faulty origin: an HTTP server inside the test's own process, whose files never were on a disk and which does
// wrong, on demand, all that servers and networks do wrong. Static pages and files share one port, so no CORS is
// needed unless a test wants it. It answers GET, HEAD and preflights, on loopback only.
import { once } from 'node:events';
import http from 'node:http';
import { answerPreflight, corsHeaders } from './cors.mjs';
import { spoil } from './faults.mjs';
import { RequestLog } from './log.mjs';
import { Resource } from './resource.mjs';
import { beforeHead, sendBody } from './sender.mjs';
import { findStatic, sendStatic } from './static-files.mjs';

/** Answers a request for a resource; resolves when the response has ended, whichever way. */
async function answerResource(resource, request, response, { entry, log, signal, freshConnection }) {
  const refusal = resource.refusal(request, entry);
  const fault = refusal ? undefined : resource.takeFault(entry, freshConnection);
  const answer = refusal ?? spoil(resource.answer(request, entry), fault, resource);
  const honest = answer.body === undefined;
  // The status of a refusal is noted before it is sent, since a 429 does not count as open.
  log.note(entry, { length: resource.length, etag: resource.etag, fault: fault?.kind, status: refusal?.status });
  if (answer.refuse) {
    response.destroy();
    return;
  }
  const sending = {
    resource,
    signal,
    onSent: (count) => log.note(entry, { sentBytes: entry.sentBytes + count }),
    onStall: () => log.note(entry, { stalled: true }),
  };
  await beforeHead(answer, sending);
  response.writeHead(answer.status, { ...answer.headers, ...corsHeaders(resource) });
  log.note(entry, { status: answer.status, start: honest ? answer.start : undefined });
  if (request.method === 'HEAD' || answer.status === 304) response.end();
  else await sendBody(response, { ...answer, body: answer.body ?? resource.body(answer) }, sending);
}

/**
 * Starts an origin. `staticDirs` maps URL prefixes to folders; `port` 0 takes a free one (name the old one to come
 * back after `close()`). See `resource.mjs` for what a resource is, `faults.mjs` for the faults, `log.mjs` for entries.
 */
export async function startOrigin({ staticDirs = {}, port = 0 } = {}) {
  const resources = new Map();
  const log = new RequestLog();
  const seenConnections = new WeakSet();
  const failures = [];

  async function handle(request, response) {
    const entry = log.begin(request);
    const gone = new AbortController();
    const freshConnection = !seenConnections.has(request.socket);
    seenConnections.add(request.socket);
    response.once('close', () => {
      log.note(entry, { endedAt: Date.now(), aborted: !response.writableFinished });
      gone.abort(new Error('the connection has gone'));
    });
    try {
      const resource = resources.get(entry.path);
      const file = resource ? undefined : await findStatic(staticDirs, entry.path);
      if (!resource && !file) response.writeHead(404, { 'Content-Length': 0 }).end();
      else if (resource && request.method === 'OPTIONS') answerPreflight(resource, request, response);
      else if (!['GET', 'HEAD'].includes(request.method)) response.writeHead(405, { 'Content-Length': 0 }).end();
      else if (file) await sendStatic(file, request, response);
      else await answerResource(resource, request, response, { entry, log, signal: gone.signal, freshConnection });
      if (response.headersSent && entry.status === undefined) log.note(entry, { status: response.statusCode });
    } catch (error) {
      // A failed write is known before its connection reports that it has closed.
      if (gone.signal.aborted || request.socket.destroyed) return;
      failures.push(error);
      response.destroy();
    }
  }

  const server = http.createServer((request, response) => void handle(request, response));
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();

  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    log: log.entries,
    /** Serves a new resource (its fields, see `resource.mjs`) at `path`, which may replace another. */
    add(path, fields) {
      const resource = new Resource(fields);
      resources.set(path, resource);
      return resource;
    },
    get: (path) => resources.get(path),
    waitFor: log.waitFor.bind(log),
    waitForRequest: log.waitForRequest.bind(log),
    waitForSent: log.waitForSent.bind(log),
    /** Ends the server and all its connections. Throws what went wrong inside it, so that no test passes over it. */
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      if (failures.length) throw new AggregateError(failures, 'the origin itself failed');
    },
  };
}
