// Whether a body has ended because all of it has come. Firefox ends a coded body that is cut as if it were complete: only the
// response's timing entry says how many bytes came (docs/platform.md).
import { browser } from './wakes.js';

/** How long the entry of a body that has ended is waited for. It comes a millisecond later at most. */
const PATIENCE_MS = 500;
/** How many entries are kept that no body has asked for. */
const KEPT = 250;

export class BodyEnds {
  readonly #isNeeded = browser() === 'firefox' && typeof PerformanceObserver === 'function';
  readonly #looks = new Set<() => void>();
  #entries: PerformanceResourceTiming[] = [];

  constructor() {
    if (!this.#isNeeded) return;
    // An observer is told of an entry for which the browser's own list has no room, too.
    new PerformanceObserver((list) => {
      this.#entries = [...this.#entries, ...(list.getEntries() as PerformanceResourceTiming[])].slice(-KEPT);
      for (const look of this.#looks) look();
    }).observe({ type: 'resource' });
  }

  /** Whether this response's body, which has ended after `read` bytes without an error, was cut. Without an entry it was not. */
  async isCut({ headers, redirected, url }: Response, read: number): Promise<boolean> {
    const announced = Number(headers.get('Content-Length'));
    // A body of the announced length is not coded. Behind a redirect the entry is that of the redirect.
    if (!this.#isNeeded || redirected || !announced || announced === read) return false;
    return new Promise((resolve) => {
      const end = (isCut: boolean) => {
        this.#looks.delete(look);
        resolve(isCut);
      };
      const look = () => {
        const entry = this.#entries.find(({ name, decodedBodySize }) => name === url && decodedBodySize === read);
        if (!entry) return;
        // An entry is of one response: a later one of this URL may be as long.
        this.#entries = this.#entries.filter((other) => other !== entry);
        end(entry.encodedBodySize < announced);
      };
      this.#looks.add(look);
      setTimeout(end, PATIENCE_MS, false);
      look();
    });
  }
}
