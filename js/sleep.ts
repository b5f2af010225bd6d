// When the browser puts a page to sleep: frozen in the background, or kept for when the user comes back to it.

/** Calls `sleep` before nothing of the page runs any more, and `wake` when it runs again. */
export function watchSleep(sleep: () => void, wake: () => void): void {
  let isAsleep = false;
  const set = (asleep: boolean) => {
    if (asleep === isAsleep) return;
    isAsleep = asleep;
    if (asleep) sleep();
    else wake();
  };
  document.addEventListener('freeze', () => set(true));
  document.addEventListener('resume', () => set(false));
  addEventListener('pagehide', ({ persisted }) => persisted && set(true));
  addEventListener('pageshow', () => set(false));
}
