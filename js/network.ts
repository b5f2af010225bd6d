// What the browser tells of the network, in pages and workers alike.

interface Network extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}

const network = (): Network | undefined => (navigator as { connection?: Network }).connection;

/** Whether the network is metered, or the user asks to save data; `undefined` if that cannot be told. */
export function isMetered(): boolean | undefined {
  const { saveData, type } = network() ?? {};
  if (saveData || type === 'cellular') return true;
  return type === 'wifi' || type === 'ethernet' ? false : undefined;
}

/** Calls back when that may have changed. */
export function watchNetwork(changed: () => void): void {
  network()?.addEventListener?.('change', changed);
}
