// The proxy between the browser and the servers: it lets each run of the zoo meet a server as it is, cut, held, from
// another origin, behind redirects, and with headers that were taken away or rewritten.
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import { sendBody } from '../origin/sender.mjs';

/** What the README asks of another origin. `Content-Encoding` is not among it: browsers then hide the coding. */
const EXPOSED = 'Content-Range, ETag';

/** Slow enough that what is sent before a cut has been read, and that little more is sent than is read. */
const BYTES_PER_SECOND = 24 << 20;

/** Headers that are for one connection (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/** What lies between the browser and the server, beside the connection itself. */
export const WAYS = {
  far: 'from another origin',
  own: "from the page's own origin",
  redirected: 'from another origin that redirects each request to a third',
  stripped: 'from another origin, without ETag, Last-Modified and Accept-Ranges',
  rewritten: 'from another origin, each ETag made weak',
  coded: 'from another origin, each request allowing gzip',
};

/** One file on its way: what the proxy does with it, and what it has seen. */
class Run extends EventEmitter {
  bytesPerSecond = BYTES_PER_SECOND;
  latencyMs = 0;
  /** GET and HEAD, without those that were answered with a redirect. */
  requests = [];
  /** Set before the kill: the browser then lets go of what is held since it was killed. */
  isKilled = false;
  /** The request whose response is held, or was until the release. */
  #held;
  #released = false;

  /** `isCoded`: whether what comes is in a content coding; browsers or the engine may then throw an answer to a range away. */
  constructor({ way, event, at, isCoded, upstream, name, mostRequests }) {
    super();
    this.setMaxListeners(0);
    Object.assign(this, { way, event, at, isCoded, upstream, name, mostRequests });
    /** Resolves when a response has come as far as `at`. */
    this.held = once(this, 'held');
    /** Resolves when there were more requests than are allowed. */
    this.tooMany = once(this, 'too-many');
  }

  get sentBytes() {
    return this.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  begin(request) {
    const entry = { method: request.method, range: request.headers.range, sentBytes: 0, status: undefined };
    this.requests.push(entry);
    if (this.requests.length > this.mostRequests) this.emit('too-many');
    return entry;
  }

  /** Whether a response was cut, and not only about to be. */
  get wasCut() {
    return this.requests.some(({ isCut }) => isCut);
  }

  /** Until one response was cut, each is cut that comes so far; of a coded file one with `Range` and one without. */
  takesCut({ method, range }) {
    const isOfItsKind = (entry) => !this.isCoded || Boolean(entry.range) === Boolean(range);
    return this.event === 'cut' && method === 'GET' && !this.requests.some((entry) => entry.isCut && isOfItsKind(entry));
  }

  /** The first response is held that comes so far; of a coded file one without `Range`. */
  takesHold({ method, range }) {
    return this.event === 'killed' && method === 'GET' && !this.#held && !(this.isCoded && range);
  }

  /** While one response is held, others wait for its release. */
  get isClosed() {
    return this.#held !== undefined && !this.#released;
  }

  /** A response has come as far as it is to come for now. */
  noteHold(entry) {
    this.#held ??= entry;
    this.emit('held');
  }

  /** The browser has let go of what was held, by itself: another response is held instead, and those that waited come now. */
  loseHold(entry) {
    if (entry !== this.#held || this.isKilled || this.#released) return;
    this.#held = undefined;
    this.emit('release');
  }

  async hold(entry, signal) {
    this.noteHold(entry);
    await once(this, 'release', { signal });
  }

  /** Ends what is held, and lets go what waited. */
  release() {
    this.#released = true;
    this.emit('release');
  }
}

const withoutHopByHop = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)));

/** What the server is told. */
function requestHeaders({ headers }, way) {
  const { host, ...told } = withoutHopByHop(headers);
  return way === 'coded' ? { ...told, 'accept-encoding': 'gzip' } : told;
}

/** What the browser is told. */
function responseHeaders(headers, way) {
  const told = withoutHopByHop(headers);
  if (way === 'stripped') for (const name of ['etag', 'last-modified', 'accept-ranges']) delete told[name];
  if (way === 'rewritten' && told.etag && !told.etag.startsWith('W/')) told.etag = `W/${told.etag}`;
  if (way === 'own') return told;
  return { ...told, 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED };
}

/** Asks the server behind the proxy; resolves with its response. */
function ask(url, { method, headers, signal }) {
  return new Promise((resolve, reject) => {
    http.request(url, { method, headers, signal, agent: false }, resolve).once('error', reject).end();
  });
}

function answerPreflight(request, response) {
  response.writeHead(204, {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '*',
  });
  response.end();
}

function redirect(request, response, location) {
  response.writeHead(302, { location, 'access-control-allow-origin': '*', 'content-length': 0 }).end();
}

async function forward(run, request, response, signal) {
  const entry = run.begin(request);
  if (run.isClosed) await once(run, 'release', { signal });
  const answer = await ask(`${run.upstream}/${run.name}`, { method: request.method, headers: requestHeaders(request, run.way), signal });
  entry.status = answer.statusCode;
  const hasFile = [200, 206, 416].includes(entry.status);
  const [cuts, holds] = [hasFile && run.takesCut(entry), hasFile && run.takesHold(entry)];
  if (holds) signal.addEventListener('abort', () => run.loseHold(entry), { once: true });
  // Of a response of which nothing may come, the head does not come either.
  if ((cuts || holds) && run.at === 0) {
    if (holds) await run.hold(entry, signal);
    entry.isCut = true;
    return void response.destroy();
  }
  response.writeHead(answer.statusCode, responseHeaders(answer.headers, run.way));
  if (request.method === 'HEAD') return void response.end();
  // What was held is cut when it is let go: the worker that read it was killed.
  const marks = { cutAfter: cuts || holds ? run.at : Infinity, stallAfter: holds ? run.at : Infinity };
  const onSent = (count) => void (entry.sentBytes += count);
  await sendBody(response, { body: answer, ...marks }, { resource: run, signal, onSent, onStall: () => run.noteHold(entry) });
  entry.isCut = entry.sentBytes === run.at;
}

/** Pages, workers and the package come from the tests' own origin, so that a run can be of the same one. */
async function passOn(app, request, response, signal) {
  const answer = await ask(`${app}${request.url}`, { method: request.method, headers: requestHeaders(request), signal });
  response.writeHead(answer.statusCode, withoutHopByHop(answer.headers));
  answer.pipe(response);
}

/**
 * Starts the proxy in front of the tests' own origin at `app`. `listen()` resolves with the URL of a further origin, at which
 * pages can be opened and files fetched; `begin(origin, …)` begins a run of a file that is fetched from there.
 */
export async function startProxy(app) {
  const runs = new Map();
  const servers = [];

  async function handle(request, response) {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client has gone')));
    const [, place, number, part] = request.url.split('/');
    const run = place === 'zoo' ? runs.get(number) : undefined;
    try {
      if (!run) await passOn(app, request, response, gone.signal);
      else if (request.method === 'OPTIONS') answerPreflight(request, response);
      else if (run.way === 'redirected' && part !== 'there') {
        redirect(request, response, `http://localhost:${request.socket.localPort}/zoo/${number}/there/${run.name}`);
      } else await forward(run, request, response, gone.signal);
    } catch (error) {
      // What is left of a response when either side has gone is a broken connection, also to the browser.
      response.destroy(gone.signal.aborted ? undefined : error);
    }
  }

  async function listen() {
    const server = http.createServer((request, response) => void handle(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
    return `http://127.0.0.1:${server.address().port}`;
  }

  return {
    listen,
    /** Begins a run of a file of `upstream`: its `url` for the browser is at `origin`. */
    begin(origin, options) {
      const run = new Run(options);
      const number = String(runs.size);
      runs.set(number, run);
      run.url = `${origin}/zoo/${number}/${run.name}`;
      return run;
    },
    async close() {
      await Promise.all(servers.map(async (server) => {
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      }));
    },
  };
}
