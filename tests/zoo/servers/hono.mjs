// Hono on Node, with its serveStatic.
import { createAdaptorServer } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono } from 'hono';
import { isStored, npmVersion, serveWith, STORED_HEADERS } from './support.mjs';

export async function start(root) {
  const app = new Hono();
  const onFound = (path, context) => {
    if (isStored(path)) for (const [name, value] of Object.entries(STORED_HEADERS)) context.header(name, value);
  };
  app.use('*', serveStatic({ root, onFound }));
  return serveWith(createAdaptorServer({ fetch: app.fetch }), `${npmVersion('hono')} (node-server ${npmVersion('@hono/node-server')})`);
}
