// The moment between two versions of the worker: the older has let go, and the newer is to become active.
//
// Chromium stops the older one first. A message that comes just then starts it once more, and the newer one waits for
// that life, too, which goes on for as long as there is work.

/** A newer worker that is not active by now waits for something else. The older one rests no longer, either. */
const HANDOVER_MS = 5_000;

export class Handover {
  readonly #ended: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `ended` is called when there is somebody to talk to again. */
  constructor(ended: () => void) {
    this.#ended = ended;
  }

  /** While it lasts, nothing may be posted to the worker. */
  get isUnderWay(): boolean {
    return this.#timer !== undefined;
  }

  /** The worker has ended. If another one waits in its registration, it may be for that. */
  begin({ waiting }: ServiceWorkerRegistration): void {
    if (!waiting) return this.#ended();
    const end = () => {
      if (!this.isUnderWay) return;
      this.cancel();
      this.#ended();
    };
    waiting.addEventListener('statechange', end, { once: true });
    this.#timer = setTimeout(end, HANDOVER_MS);
  }

  /** A worker has spoken. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
