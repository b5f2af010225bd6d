// A worker that knows a token by itself, from its own address, as another might from a store of its own.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, {
  wasm: '/longhaul/longhaul.wasm',
  ...quiet,
  authorize: ({ status }) => {
    const token = new URL(location).searchParams.get('token');
    return status === 401 ? { headers: { Authorization: `Bearer ${token}` } } : undefined;
  },
});
