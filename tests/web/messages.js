// The body of a function: calls as pages send them, of each kind with all its fields, and what becomes of them. A case is
// `[what, message, field]`: the field is the one that was changed, or empty where one inside it may be named as well.
const session = 'podcasts';
const id = 'episode-1';
const headers = [['Accept', 'audio/mpeg'], ['X-One', '1']];
const source = { url: 'https://a.example/f', host: 'a.example', origin: 'https://a.example' };
const policy = {
  priority: 'high',
  metered: false,
  unknownNetwork: true,
  discretionaryUntil: 5_000,
  beginAt: 6_000,
  maxBytesPerSecond: 4_096,
  maxSegments: 3,
  stallTimeoutMs: 2_000,
  resourceTimeoutMs: 0,
  maxFailures: 7,
};
const limits = {
  maxConcurrentTasks: 4,
  maxPerHostVisible: 1,
  maxPerHostHidden: 2,
  maxBytesPerSecond: 8_192,
  metered: true,
  unknownNetwork: false,
  keepMs: 60_000,
  keepFromLastUse: true,
};
const spec = {
  id,
  sources: [source, { ...source, url: 'http://b.example/f' }],
  headers,
  credentials: 'include',
  referrerPolicy: 'origin',
  redirects: 'error',
  keepHeaders: ['ETag', 'X-Two'],
  integrity: 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
  pieceLength: 1_048_576,
  pieceDigests: new Uint8Array(32).fill(9),
  ignoreServerDigest: true,
  expectedBytes: 1_000,
  exactBytes: 1_000,
  accept: ['audio/mpeg', 'video/*'],
  strongOnly: true,
  group: 'map',
  tag: 'tile',
  description: 'A file',
  metadata: '{"a":1}',
  policy,
  transport: 'background-fetch',
  ui: '{}',
  destination: { cache: 'files', url: 'https://a.example/g' },
  failsWhenFull: true,
  servesUrl: true,
};
const least = { id: 'episode-2', sources: [source] };
const filter = { states: ['completed', 'failed'], group: 'map', tag: 'tile' };
const task = { session, id };

const calls = [
  { type: 'open', session, version: 3, limits, canAuthorize: true },
  { type: 'update-session', session, limits },
  { type: 'download', session, token: 't', spec, secrets: headers, ifExists: 'refresh' },
  { type: 'download', session, token: 't', spec: { ...least, destination: { opfs: 'a/b' } }, ifExists: 'replace' },
  { type: 'download', session, token: 't', spec: { ...least, transport: 'auto', ui: '{}' }, ifExists: 'error' },
  { type: 'download', session, token: 't', spec: { ...least, credentials: 'omit', redirects: 'follow-with-headers' } },
  { type: 'download', session, token: 't', spec: { ...least, credentials: 'same-origin', redirects: 'follow' }, ifExists: 'keep' },
  { type: 'resume-from', session, token: 't', spec: least, secrets: headers, data: new Uint8Array([1, 2, 3]) },
  { type: 'download-all', session, token: 't', group: 'map', failsTogether: true, members: [least, spec], last: true },
  ...['task', 'pause', 'resume', 'resume-data', 'release', 'release-file'].map((type) => ({ type, ...task })),
  { type: 'move', ...task, destination: { opfs: 'folder/file' } },
  { type: 'find', url: source.url, session },
  { type: 'cancel', ...task, keep: true },
  { type: 'update', ...task, policy },
  { type: 'authorize', ...task, origin: source.origin, headers, persist: true, source },
  { type: 'begun', ...task, registration: 'r', refusal: 'why' },
  { type: 'chunk', ...task, offset: 10, body: 'b', waits: true },
  { type: 'check', ...task, offset: 10, body: 'b' },
  { type: 'serve', ...task, range: 'bytes=0-', ifRange: '"e"' },
  { type: 'select', session, after: id, limit: 10, ...filter },
  ...['pause', 'resume', 'cancel', 'release', 'release-file'].map((action) => ({ type: 'bulk', session, action, ...filter })),
  { type: 'group', session, group: 'map' },
  { type: 'history', session, before: 20, limit: 30 },
];

const kindOf = (value) => (Array.isArray(value) ? 'list' : ArrayBuffer.isView(value) ? 'bytes' : typeof value);

/** The places of all fields and items in a value. */
const places = (value, path = []) =>
  typeof value !== 'object' || ArrayBuffer.isView(value)
    ? []
    : Object.keys(value).flatMap((key) => [[...path, key], ...places(value[key], [...path, key])]);

/** A copy in which no two fields share a value. */
const copyOf = (value) =>
  typeof value !== 'object' || ArrayBuffer.isView(value)
    ? value
    : Object.assign(Array.isArray(value) ? [] : {}, ...Object.keys(value).map((key) => ({ [key]: copyOf(value[key]) })));

/** The cases of this call in which one place after the other is changed. */
const changed = (call, what, change) =>
  places(call).map((path) => {
    const message = copyOf(call);
    const key = path.at(-1);
    const parent = path.slice(0, -1).reduce((value, step) => value[step], message);
    const isObject = kindOf(parent[key]) === 'object';
    change(parent, key);
    const field = isObject && typeof Object.getOwnPropertyDescriptor(parent, key)?.value === 'object' ? '' : path.findLast((step) => Number.isNaN(Number(step)));
    return [`${call.type}: ${path.join('.')} ${what}`, message, field];
  });

const all = (what, change) => calls.flatMap((call) => changed(call, what, change));

const values = [5, 'text', true, {}, ['a'], new Uint8Array(4), 5n, Symbol('s'), () => {}];
const ofOtherType = values.flatMap((value) =>
  calls.flatMap((call) =>
    changed(call, `is ${String(value)}`, (parent, key) => {
      if (kindOf(value) !== kindOf(parent[key])) parent[key] = value;
    }),
  ),
);

const boom = () => {
  throw new Error('boom');
};
const throwing = all('throws', (parent, key) => Object.defineProperty(parent, key, { get: boom }));
const revoked = (target) => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};
const lookalike = Object.create(Uint8Array.prototype);
const overlong = Object.defineProperty([], 'length', { value: 2 ** 31 });
const resumed = calls.find(({ type }) => type === 'resume-from');
const batch = calls.find(({ type }) => type === 'download-all');
const hostile = [
  ...throwing,
  ...all('is revoked', (parent, key) => (parent[key] = revoked(typeof parent[key] === 'object' ? parent[key] : {}))),
  ['revoked', revoked({}), 'type'],
  ['a text', 'text', 'type'],
  ['nothing', undefined, 'type'],
  ['looks like bytes', { ...resumed, data: lookalike }, 'data'],
  ['a proxy of bytes', { ...resumed, data: new Proxy(resumed.data, {}) }, 'data'],
  ['too much data', { ...resumed, data: new Uint8Array(65_537) }, 'data'],
  ['too many members', { ...batch, members: Array(1_025).fill(least) }, 'members'],
  ['a list of no end', { ...batch, members: overlong }, 'members'],
  ['no list', { ...batch, members: { length: 0 } }, 'members'],
  ['a pair of three', { ...resumed, secrets: [['a', 'b', 'c']] }, 'secrets'],
  ['another type', { ...task, type: 'else' }, 'type'],
];

// Fields that belong to calls of other kinds are not even looked at.
const names = new Set(calls.flatMap(Object.keys));
const withOthers = calls.map((call) => {
  const own = new Set(calls.filter(({ type }) => type === call.type).flatMap(Object.keys));
  const message = { ...call };
  for (const name of names) if (!own.has(name)) Object.defineProperty(message, name, { get: boom });
  return [`${call.type} beside the fields of others`, message, ''];
});

return {
  whole: calls.map((call) => [call.type, call, '']),
  missing: all('is missing', (parent, key) => delete parent[key]),
  undefined: all('is undefined', (parent, key) => (parent[key] = undefined)),
  null: all('is null', (parent, key) => (parent[key] = null)),
  ofOtherType,
  hostile,
  withOthers,
};
