// An answer as it can be read: from outside all of it, from a page what CORS lets through (Fetch, "CORS protocol").

/** Can always be read ("CORS-safelisted response-header name"). */
const SAFE = ['cache-control', 'content-language', 'content-length', 'content-type', 'expires', 'last-modified', 'pragma'];

/** The words of a list in a header. */
export const list = (text = '') => text.split(',').map((word) => word.trim().toLowerCase()).filter(Boolean);

/** Whether a page of `origin` may read the answer at all; `isHome`: it comes from the page's own origin. */
export function mayRead(answer, origin) {
  const allowed = answer.fields.get('access-control-allow-origin');
  return allowed === '*' || allowed === (answer.tainted ? 'null' : origin);
}

const isExposed = (answer, name) => {
  const exposed = list(answer.fields.get('access-control-expose-headers'));
  return SAFE.includes(name) || exposed.includes(name) || exposed.includes('*');
};

/** Whether the page's own origin answered, so that CORS has no say. */
export const isHome = (answer, origin) => !answer.tainted && new URL(answer.url).origin === origin;

/** `{ status, isReadable, readsAll, get }`; without an origin everything can be read. */
export function view(answer, origin) {
  const readsAll = origin === undefined || isHome(answer, origin);
  return {
    status: answer.status,
    isReadable: readsAll || mayRead(answer, origin),
    readsAll,
    get: (name) => (readsAll || isExposed(answer, name) ? answer.fields.get(name) : undefined),
  };
}
