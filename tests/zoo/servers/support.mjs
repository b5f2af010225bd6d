// What the modules of the servers share: a Node server on a free port, and a process that is a server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import fsp from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onPath, root } from '../../../tools/setup.mjs';
import { versionOf } from '../../browser/versions.mjs';
import { freePort } from '../../origin/port.mjs';

export { versionOf };

const zoo = path.join(root, 'tests/zoo');

/** The headers of an object that is stored gzip-coded, for servers that set headers by path. */
export const STORED_HEADERS = { 'Content-Encoding': 'gzip', 'Content-Type': 'text/plain; charset=utf-8' };

/** Whether this path is that of the object that is stored gzip-coded. */
export const isStored = (name) => name.endsWith('.gz');

/** A server that is not installed; the zoo leaves it out by name. */
export class MissingServer extends Error {}

/** The version of a package of the zoo. */
export const npmVersion = (name) => JSON.parse(fs.readFileSync(path.join(zoo, 'node_modules', name, 'package.json'), 'utf8')).version;

/** Starts a listener for requests as a server of this process. */
export async function serve(listener, version) {
  return serveWith(http.createServer(listener), version);
}

/** Starts a Node HTTP server that a framework has made. */
export async function serveWith(server, version) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections?.();
    await closed;
  };
  return { url: `http://127.0.0.1:${server.address().port}`, version, stop };
}

/** The program of this name, from the zoo's Python environment, the PATH or Debian's folders for servers. */
export function program(name) {
  const found = onPath(name, [path.join(zoo, '.venv/bin'), process.env.PATH, '/usr/sbin', '/usr/local/sbin'].join(path.delimiter));
  if (!found) throw new MissingServer(`${name} is not installed`);
  return found;
}

/** Whether a server accepts connections on this port. */
function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      // A connection that is left open keeps some servers from ending.
      socket.destroy();
      resolve(true);
    });
  });
}

/**
 * Starts a program as a server on a free port. `prepare({ home, port })` writes what it needs into the temporary folder
 * `home` and returns its arguments, and `env` beside the ones of this process. `stop` ends it by its pid.
 */
export async function serveProcess(command, version, prepare) {
  const home = await fsp.mkdtemp(path.join(os.tmpdir(), 'longhaul-zoo-'));
  // Some servers give up root and must be able to read their folder all the same.
  await fsp.chmod(home, 0o755);
  const port = await freePort();
  const { args, env } = await prepare({ home, port });
  const child = spawn(command, args, { cwd: home, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said.push(data));
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  // SIGKILL would leave the processes behind that it has started.
  const stopWithUs = () => child.kill('SIGTERM');
  process.once('exit', stopWithUs);
  let hasEnded = false;
  void ended.then(() => (hasEnded = true));
  while (!(await accepts(port))) {
    if (hasEnded) throw new Error(`${path.basename(command)} did not start:\n${Buffer.concat(said)}`);
    await pause(20);
  }
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    process.off('exit', stopWithUs);
    await fsp.rm(home, { recursive: true });
  };
  return { url: `http://127.0.0.1:${port}`, version, stop };
}

/** Starts a server that is a script of Python beside the modules, with the zoo's Python environment. */
export async function servePython(script, version, folder) {
  const args = (port) => [path.join(zoo, 'servers', script), folder, String(port)];
  return serveProcess(python(), version, ({ port }) => ({ args: args(port), env: { PYTHONUNBUFFERED: '1' } }));
}

/** The Python of the zoo's environment. */
export function python() {
  const found = path.join(zoo, '.venv/bin/python');
  if (!fs.existsSync(found)) throw new MissingServer('the Python environment tests/zoo/.venv is not there');
  return found;
}

/** The version of a Python package of the zoo. */
export const pipVersion = (name) => versionOf(python(), ['-c', `import importlib.metadata as m; print(m.version("${name}"))`]);
