// Small things that tests do with a page.

/**
 * Appends what goes wrong in the page to `errors`, as text: a renderer that died, exceptions nobody caught and
 * console errors, among which Chromium counts every failed request of the page (its own one for an icon is left out).
 */
export function collectErrors(page, errors = []) {
  page.on('error', (error) => errors.push(`${page.url()}: ${error.message}`)); // its renderer is dead
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.stack ?? error}`));
  page.on('console', (message) => {
    const { url } = message.location();
    if (message.type() === 'error' && !url?.endsWith('/favicon.ico')) errors.push(`${page.url()}: ${message.text()} (${url})`);
  });
  return errors;
}

/** Waits until the page's registration has an active worker, whether or not it controls the page. */
export function workerReady(page) {
  return page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
}
