// The command http-server, by its own function.
import httpServer from 'http-server';
import { isStored, npmVersion, serveWith, STORED_HEADERS } from './support.mjs';

export async function start(root) {
  const before = [
    (request, response) => {
      if (isStored(request.url)) for (const [name, value] of Object.entries(STORED_HEADERS)) response.setHeader(name, value);
      response.emit('next');
    },
  ];
  const { server } = httpServer.createServer({ root, before, cache: 3600, gzip: true, mimetypes: { 'text/plain': ['gz'] } });
  return serveWith(server, npmVersion('http-server'));
}
