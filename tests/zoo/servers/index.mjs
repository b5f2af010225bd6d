// The servers of the zoo, by the names that `--server` knows.
const NAMES = {
  express: 'express / send',
  sirv: 'sirv',
  'serve-handler': 'serve-handler',
  'http-server': 'http-server',
  fastify: '@fastify/static',
  hono: 'hono',
  koa: 'koa-static',
  'python-http': 'python http.server',
  aiohttp: 'aiohttp',
  starlette: 'starlette',
  werkzeug: 'werkzeug',
  caddy: 'caddy',
  lighttpd: 'lighttpd',
  apache: 'Apache httpd',
  nginx: 'nginx',
};

export const serverNames = Object.keys(NAMES);

/** What people call it. */
export const titleOf = (name) => NAMES[name];

/** Starts the server `name` on a free loopback port, with the files of `folder`: `{ url, version, stop }`. */
export async function startServer(name, folder) {
  const { start } = await import(`./${name}.mjs`);
  return start(folder);
}
