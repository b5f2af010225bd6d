// A worker that handles what no page takes, as its pages do.
importScripts('/record.js', '/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, {
  wasm: '/longhaul/longhaul.wasm',
  ...quiet,
  onEvents: async (session, events) => {
    for (const event of events) await record(event);
  },
});
