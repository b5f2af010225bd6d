// @fastify/static.
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';
import { isStored, npmVersion, STORED_HEADERS } from './support.mjs';

export async function start(root) {
  const app = fastify({ forceCloseConnections: true });
  await app.register(fastifyStatic, {
    root,
    setHeaders: (reply, path) => void (isStored(path) && reply.headers(STORED_HEADERS)),
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  return { url, version: `${npmVersion('@fastify/static')} (fastify ${npmVersion('fastify')})`, stop: () => app.close() };
}
