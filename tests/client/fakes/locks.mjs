// Web Locks in memory: exclusive and shared requests, granted in the order in which they were made; what an owner
// (a page, a worker) holds or waits for goes with it when it dies. Options that the client does not use are refused.

export class FakeLocks {
  /** Lock name → `{ owner, mode, grant, isHeld }` of all who hold it or wait for it, in the order of their requests. */
  #queues = new Map();

  /** `navigator.locks` as `owner` sees it. */
  of(owner) {
    return {
      request: (name, ...rest) => {
        const [options, callback] = rest.length === 1 ? [{}, rest[0]] : rest;
        const { mode = 'exclusive', ifAvailable = false, signal, ...others } = options;
        if (ifAvailable) throw new TypeError('the fake locks always wait');
        if (Object.keys(others).length > 0) throw new TypeError(`the fake locks know no ${Object.keys(others)}`);
        return this.#request(name, owner, mode, callback, signal);
      },
    };
  }

  /** Takes a lock for `owner`, until `drop(owner)`. */
  take(name, owner) {
    return new Promise((resolve) => void this.#request(name, owner, 'exclusive', () => new Promise(() => resolve())));
  }

  /** The owner has died: what it held is free, what it waited for it will never be given. */
  drop(owner) {
    for (const [name, queue] of this.#queues) {
      this.#queues.set(name, queue.filter((entry) => entry.owner !== owner));
      this.#grant(name);
    }
  }

  /** How many requests for this lock are held or wait. */
  count(name) {
    return this.#queues.get(name)?.length ?? 0;
  }

  /** How the last of them asked. */
  mode(name) {
    return this.#queues.get(name)?.at(-1)?.mode;
  }

  async #request(name, owner, mode, callback, signal) {
    const entry = { owner, mode, isHeld: false };
    const granted = new Promise((resolve, reject) => {
      entry.grant = resolve;
      // As in a browser, who holds the lock does not lose it by this.
      signal?.addEventListener('abort', () => {
        if (entry.isHeld) return;
        this.#queues.set(name, this.#queues.get(name).filter((other) => other !== entry));
        reject(signal.reason);
      });
    });
    if (!this.#queues.has(name)) this.#queues.set(name, []);
    this.#queues.get(name).push(entry);
    this.#grant(name);
    await granted;
    try {
      return await callback({ name, mode });
    } finally {
      this.#queues.set(name, this.#queues.get(name).filter((other) => other !== entry));
      this.#grant(name);
    }
  }

  #grant(name) {
    const queue = this.#queues.get(name);
    for (const [at, entry] of queue.entries()) {
      const before = queue.slice(0, at);
      const isFree = entry.mode === 'shared' ? before.every(({ mode }) => mode === 'shared') : at === 0;
      if (!isFree) return;
      entry.isHeld = true;
      entry.grant();
    }
  }
}
