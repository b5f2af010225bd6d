// A port of the loopback interface that nobody uses.
import { once } from 'node:events';
import net from 'node:net';

/** For servers that must be told their port; all others listen on 0. */
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
