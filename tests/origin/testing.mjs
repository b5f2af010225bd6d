// What the origin's own tests share.
import { startOrigin } from './server.mjs';

/** An origin that ends with the test `t`. */
export async function originFor(t, options) {
  const origin = await startOrigin(options);
  t.after(() => origin.close());
  return origin;
}

/** A whole answer, redirects not followed. */
export async function ask(url, headers = {}, method = 'GET') {
  const response = await fetch(url, { headers, method, redirect: 'manual' });
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
}
