// What a page sees of its surroundings, and what only the app knows of them.
import { check } from './check.js';
import { given } from './given.js';
import { isMetered, watchNetwork } from './network.js';
import type { ConditionFields } from './protocol.js';

/** The app's own knowledge. It counts for more than what the browser tells; `undefined` takes it back. */
export interface AppConditions {
  /** Whether this is a good moment for what is discretionary. */
  idle?: boolean | undefined;
  /** Whether the network is metered. */
  metered?: boolean | undefined;
}

interface Battery extends EventTarget {
  readonly charging: boolean;
}

export class Conditions {
  #app: AppConditions = {};
  #battery: Battery | undefined;
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
    document.addEventListener('visibilitychange', changed);
    watchNetwork(changed);
    const { getBattery } = navigator as Navigator & { getBattery?: () => Promise<Battery> };
    // A permissions policy may forbid it.
    getBattery?.call(navigator).then((battery) => this.#watch(battery), () => {});
  }

  get isVisible(): boolean {
    return document.visibilityState === 'visible';
  }

  get now(): ConditionFields {
    const { idle, metered = isMetered() } = this.#app;
    return given({ visible: this.isVisible, metered, charging: this.#battery?.charging, idle });
  }

  set(known: AppConditions): void {
    this.#app = { ...this.#app, ...check(known, { idle: 0, metered: 0 }) };
    this.#changed();
  }

  #watch(battery: Battery): void {
    this.#battery = battery;
    battery.addEventListener('chargingchange', this.#changed);
    this.#changed();
  }
}
