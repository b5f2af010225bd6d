// One component's life: what is bound to it ends with it, whatever ended it.

export class Life {
  readonly #controller = new AbortController();
  readonly #releases: (() => void)[] = [];

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Takes a Web Lock for this life. Whether it was granted: it waits, unless `ifAvailable` and another holds it. */
  lock(name: string, ifAvailable: boolean): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const hold = (lock: Lock | null) => {
        const granted = lock !== null && !this.signal.aborted;
        resolve(granted);
        return granted ? new Promise<void>((release) => this.#releases.push(release)) : undefined;
      };
      navigator.locks.request(name, { ifAvailable }, hold).catch(reject);
    });
  }

  end(): void {
    this.#controller.abort();
    for (const release of this.#releases.splice(0)) release();
  }
}
