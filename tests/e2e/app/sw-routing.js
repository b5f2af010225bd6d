// A worker with a router of its own, as Workbox is one: its routes ask longhaul first, and answer by themselves what is no
// file of longhaul's.
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
const { respond } = longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });

const routes = [{ matches: ({ pathname }) => pathname.startsWith('/podcasts/'), answer: async (request) => (await respond(request)) ?? new Response('not ours') }];

addEventListener('fetch', (event) => {
  const route = routes.find(({ matches }) => matches(new URL(event.request.url)));
  if (route) event.respondWith(route.answer(event.request));
});
