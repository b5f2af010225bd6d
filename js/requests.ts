// Requests that the worker hears of: those for files are answered, all others left alone.
import type { AttachOptions } from './options.js';
import type { Asking } from './file-bytes.js';
import type { FileServer } from './serve.js';

export class Requests {
  readonly #files: FileServer;
  readonly #line: Asking;
  readonly #servesOriginal: AttachOptions['serveOriginalUrls'];

  constructor(files: FileServer, line: Asking, { serveOriginalUrls }: AttachOptions) {
    this.#files = files;
    this.#line = line;
    this.#servesOriginal = serveOriginalUrls;
  }

  /** Answers a request for a file. Whether it was one, and nobody else has answered it. */
  answer(event: FetchEvent): boolean {
    const { request } = event;
    const answer = this.#files.answer(request, this.#line) ?? this.#answerForOrigin(request);
    if (!answer) return false;
    try {
      event.respondWith(answer);
      return true;
    } catch {
      console.error(`longhaul: another fetch listener answers ${request.url}. Call attach() before it is added.`);
      return false;
    }
  }

  /** The answer to any request, if it is for a file. */
  respond(request: Request, session?: string): Promise<Response | undefined> {
    return this.#files.respond(request, this.#line, session);
  }

  #answerForOrigin(request: Request): Promise<Response> | undefined {
    const of = request.method === 'GET' && this.#servesOriginal?.(new URL(request.url));
    if (!of) return undefined;
    return this.respond(request, of === true ? undefined : of).catch(() => undefined).then((found) => found ?? fetch(request));
  }
}
