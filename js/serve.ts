// A file's own URL: requests for it are answered with its bytes, and ranges of them, from storage. Which bytes those are
// says the component (`src/engine/http/serve.rs`); this makes a Response of them, and lets no file act as the app.
import { errorData } from './error-data.js';
import { badArgument, dataOf, LonghaulError } from './errors.js';
import { type Asking, type Chunk, FileBytes } from './file-bytes.js';
import { readFileUrl, SERVED, type Saving } from './file-url.js';
import { given } from './given.js';
import { nativeBody, type Piece } from './native-body.js';
import type { Service } from './protocol.js';

/** Where a page may put a file. Of a script, a style, a frame or a worker it would be made part of the app. */
const HARMLESS = ['', 'audio', 'font', 'image', 'track', 'video'];

/** Where an attachment is saved, and not shown. Scripts and styles are used all the same. */
const SAVING = ['document', 'frame', 'iframe'];

/** On every answer: whatever the file is, it runs no script, is what it says, and is nobody else's. */
const SAFE = {
  'Content-Security-Policy': "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
};

/** With which status a request fails. */
const STATUS: Partial<Record<string, number>> = { 'task-not-found': 404, 'session-not-open': 404, 'not-finished': 409, 'file-released': 410 };

const NOT_SHOWN = 'As a page, a frame, a script or a style this file could act as the app. Add &download to its URL to save it.';

/**
 * For how long a chunk is kept once it was read: players ask for one small part of it after the other. Not for longer, since
 * it is memory, and a bad piece of a file that is still coming may be replaced.
 */
const KEPT_MS = 5_000;

/**
 * The most that an open-ended range is answered with where answers are made of Blobs (RFC 9110 section 15.3.7: a server may
 * send less than was asked for): each chunk has to be looked up before the first byte goes out.
 */
const MOST_AT_ONCE = 64 << 20;

type File = NonNullable<ReturnType<typeof readFileUrl>>;

export class FileServer {
  /** Where files are, if they have URLs. */
  readonly files: string | undefined;
  #kept: Chunk | undefined;
  #untilLetGo: ReturnType<typeof setTimeout> | undefined;

  readonly #endsStreams: boolean;

  /** `path`: of the URLs, within the scope. `endsStreams`: when the worker is ended, so is, for the browser, what it streams. */
  constructor(scope: string, path: string | false, endsStreams: boolean) {
    this.#endsStreams = endsStreams;
    this.files = path === false ? undefined : new URL(path, scope).href;
    // The scope itself is the app's own page.
    if (path === '') throw badArgument('files', path, 'a path within the scope, or false');
  }

  /** The answer to a request for a file, read over the line; `undefined` if it is for something else. */
  answer(request: Request, line: Asking): Promise<Response> | undefined {
    if (this.files === undefined) return undefined;
    if (request.url === this.files) return Promise.resolve(new Response(null, { status: 204, headers: { [SERVED]: '1' } }));
    const file = readFileUrl(this.files, request.url);
    if (!file) return undefined;
    const answer = this.#serve(request, file, line);
    if (file.saveAs !== undefined && SAVING.includes(request.destination)) {
      answer.then(() => tell(request.url, {}), (error) => tell(request.url, { error: dataOf(error) }));
    }
    return answer.catch(failure);
  }

  /** The answer to a request for the URL of a file, or for a URL for which a finished file is kept; `undefined` for others. */
  async respond(request: Request, line: Asking, of?: string): Promise<Response | undefined> {
    const answer = this.answer(request, line);
    if (answer) return answer;
    const isReading = request.method === 'GET' || request.method === 'HEAD';
    if (!isReading || !HARMLESS.includes(request.destination)) return undefined;
    const { session, id } = await line.call({ type: 'find', url: request.url.replace(/#.*/, ''), ...given({ session: of }) });
    if (session === undefined || id === undefined) return undefined;
    const response = await this.#serve(request, { session, id, saveAs: undefined }, line).catch(failure);
    // It may have left in between.
    return response.status < 400 || response.status === 416 ? response : undefined;
  }

  async #serve(request: Request, { session, id, saveAs }: File, line: Asking): Promise<Response> {
    const { method, headers, destination } = request;
    if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'A file can only be read.', { Allow: 'GET, HEAD' });
    const isSafe = HARMLESS.includes(destination) || (saveAs !== undefined && SAVING.includes(destination));
    if (!isSafe) return refusal(403, NOT_SHOWN);
    const [range, ifRange] = [headers.get('range') ?? undefined, headers.get('if-range') ?? undefined];
    const whole = await line.call({ type: 'serve', session, id, ...given({ range, ifRange }) }, request.signal);
    const answer = this.#endsStreams && /^\s*bytes\s*=\s*\d+\s*-\s*$/i.test(range ?? '') ? beginning(whole) : whole;
    const pieces = piecesOf(answer);
    const fields = fieldsOf(answer, pieces, saveAs);
    if (method === 'HEAD' || pieces.length === 0) return new Response(null, { status: answer.status, headers: fields });
    const native = this.#endsStreams ? await nativeBody(line, { session, id }, answer.body, pieces) : undefined;
    if (native) return new Response(native, { status: answer.status, headers: fields });
    const wish = { body: answer.body, waits: true, chunk: this.#kept, onChunk: (chunk: Chunk) => this.#keep(chunk) };
    const body = stream(new FileBytes(line, session, id, wish), pieces);
    return new Response(body, { status: answer.status, headers: fields });
  }

  #keep(chunk: Chunk): void {
    this.#kept = chunk;
    clearTimeout(this.#untilLetGo);
    this.#untilLetGo = setTimeout(() => (this.#kept = undefined), KEPT_MS);
  }
}

function tell(url: string, saving: Saving): void {
  const channel = new BroadcastChannel(url);
  channel.postMessage(saving);
  channel.close();
}

/** As much of the only part as is sent at once. */
function beginning(answer: Service): Service {
  const [[start, end] = [0, 0]] = answer.parts;
  return answer.status === 206 ? { ...answer, parts: [[start, Math.min(end, start + MOST_AT_ONCE)]] } : answer;
}

function piecesOf({ parts, body, contentType, length }: Service): Piece[] {
  // An empty file has nothing to read.
  if (parts.length < 2) return parts.filter(([start, end]) => start < end);
  const encoder = new TextEncoder();
  const heading = (start: number, end: number) =>
    `\r\n--${body}\r\n${contentType ? `Content-Type: ${contentType}\r\n` : ''}Content-Range: bytes ${start}-${end - 1}/${length}\r\n\r\n`;
  const pieces = parts.flatMap(([start, end]): Piece[] => [encoder.encode(heading(start, end)), [start, end]]);
  return [...pieces, encoder.encode(`\r\n--${body}--\r\n`)];
}

function fieldsOf({ status, parts, length, body, etag, lastModified, contentType, fileName }: Service, pieces: Piece[], saveAs: string | undefined): Headers {
  const sizes = pieces.map((piece) => (piece instanceof Uint8Array ? piece.length : piece[1] - piece[0]));
  const [[start, end] = [0, 0]] = parts;
  const fields = {
    'Accept-Ranges': 'bytes',
    'Content-Length': String(sizes.reduce((sum, size) => sum + size, 0)),
    'Content-Range': status === 416 ? `bytes */${length}` : status === 206 && parts.length === 1 ? `bytes ${start}-${end - 1}/${length}` : undefined,
    'Content-Type': parts.length > 1 ? `multipart/byteranges; boundary=${body}` : contentType,
    'Content-Disposition': saveAs === undefined ? undefined : attachment(saveAs || fileName),
    ETag: etag,
    'Last-Modified': lastModified,
  };
  return new Headers({ ...SAFE, ...given(fields) } as Record<string, string>);
}

/** RFC 6266, with the name as RFC 8187 writes it. */
function attachment(fileName: string | undefined): string {
  if (fileName === undefined) return 'attachment';
  const escaped = encodeURIComponent(fileName).replace(/['()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename*=UTF-8''${escaped}`;
}

/** One piece after the other, each read when it is wanted. */
function stream(file: FileBytes, pieces: Piece[]): ReadableStream<Uint8Array> {
  const left = [...pieces];
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const [piece] = left;
        if (piece === undefined) return controller.close();
        if (piece instanceof Uint8Array) {
          left.shift();
          return controller.enqueue(piece);
        }
        const bytes = await file.read(...piece);
        if (!bytes) throw new LonghaulError(errorData('storage'));
        piece[0] += bytes.length;
        if (piece[0] === piece[1]) left.shift();
        controller.enqueue(bytes.slice());
      },
      cancel: () => file.leave(),
    },
    { highWaterMark: 0 },
  );
}

function refusal(status: number, why: string, headers: Record<string, string> = {}): Response {
  return new Response(why, { status, headers: { ...SAFE, 'Content-Type': 'text/plain; charset=utf-8', ...headers } });
}

function failure(error: unknown): Response {
  return refusal((error instanceof LonghaulError && STATUS[error.code]) || 503, String(error));
}
