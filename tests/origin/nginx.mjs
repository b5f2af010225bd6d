// A real nginx on loopback, with a conf of its own in a temporary folder: the honest server to measure against.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { findNginx } from '../../tools/setup.mjs';
import { freePort } from './port.mjs';
import { parseRange } from './rfc9110.mjs';

const MIME_TYPES = `types {
    text/html html; text/css css; text/javascript js mjs; application/wasm wasm; application/json json map;
    application/manifest+json webmanifest; image/svg+xml svg; image/png png;
  }`;

/** Answered without a trace in the log. */
const MARK = '/longhaul-log-mark';

/** `rate`: bytes per second and connection. */
const limitRate = (rate) => (rate ? `limit_rate ${rate};` : '');

/** The variable with the rate of a route whose first requests alone are throttled. */
const firstRateOf = (at) => `$first_rate_${at}`;

const firstRateMap = ({ firstRate }, at) => (firstRate ? `map $http_if_range ${firstRateOf(at)} { "" ${firstRate}; default 0; }` : '');

function location(prefix, { dir, rate, firstRate }, at) {
  return `location ${prefix} { alias "${path.resolve(dir)}/"; ${limitRate(firstRate ? firstRateOf(at) : rate)} }`;
}

function configuration({ home, root, routes, rate, port, http, server }) {
  const entries = Object.entries(routes).map(([prefix, route]) => [prefix, typeof route === 'string' ? { dir: route } : route]);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
master_process off;
pid "${home}/nginx.pid";
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  ${temporary.map((name) => `${name}_temp_path "${home}/${name}";`).join('\n  ')}
  log_format entries escape=json '{"path":"$uri","status":$status,"range":"$http_range","bytesSent":$body_bytes_sent,"endedAt":$msec,"seconds":$request_time}';
  access_log "${home}/access.log" entries;
  ${MIME_TYPES}
  default_type application/octet-stream;
  charset utf-8;
  sendfile on;
  tcp_nodelay on;
  add_header Cache-Control no-store;
  ${entries.map(([, route], at) => firstRateMap(route, at)).join('\n  ')}
  ${http}
  server {
    listen 127.0.0.1:${port};
    root "${path.resolve(root)}";
    ${limitRate(rate)}
    location = ${MARK} { access_log off; return 204; }
    ${entries.map(([prefix, route], at) => location(prefix, route, at)).join('\n    ')}
    ${server}
  }
}
`;
}

/** Resolves when nginx, which binds its port before, says that its event loop is set up; rejects if it ends. */
function started(child) {
  return new Promise((resolve, reject) => {
    const said = [];
    createInterface(child.stderr).on('line', (line) => {
      said.push(line);
      if (line.includes('event method')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`nginx did not start:\n${said.join('\n')}`)));
  });
}

/**
 * Starts nginx with `root` at `/` and, in `routes`, further folders: `{ '/prefix/': dir | { dir, rate, firstRate } }`.
 * `rate` throttles each connection, in bytes per second, `firstRate` those of requests without `If-Range`: what is begun
 * is slow enough to be killed in the middle, what goes on is not. `port` 0 takes a free one. `http` and `server` are further
 * directives of these two blocks.
 */
export async function startNginx({ root, routes = {}, rate, port = 0, http = '', server = '' }) {
  const home = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-nginx-'));
  const at = port || (await freePort());
  await fs.writeFile(path.join(home, 'nginx.conf'), configuration({ home, root, routes, rate, port: at, http, server }));
  const child = spawn(findNginx() ?? 'nginx', ['-e', 'stderr', '-g', 'error_log stderr notice;', '-p', home, '-c', 'nginx.conf'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  const stopWithUs = () => child.kill('SIGKILL');
  process.once('exit', stopWithUs);
  try {
    await started(child);
  } catch (error) {
    await fs.rm(home, { recursive: true });
    throw error;
  }

  return {
    url: `http://127.0.0.1:${at}`,
    port: at,
    pid: child.pid,
    /**
     * The requests that have ended, in the order of their ends: `[{ path, status, range, bytesSent, startedAt, endedAt }]`,
     * `range` half-open as in `parseRange`, times in epoch ms.
     */
    async accessLog() {
      // nginx does one thing after the other: once this is answered, every response the caller has read is logged.
      await fetch(`http://127.0.0.1:${at}${MARK}`);
      const lines = (await fs.readFile(path.join(home, 'access.log'), 'utf8')).trim().split('\n').filter(Boolean);
      return lines.map((line) => {
        const { endedAt, seconds, ...entry } = JSON.parse(line);
        const times = { startedAt: Math.round(1000 * (endedAt - seconds)), endedAt: Math.round(1000 * endedAt) };
        return { ...entry, range: parseRange(entry.range), ...times };
      });
    },
    async close() {
      child.kill('SIGTERM');
      await ended;
      process.off('exit', stopWithUs);
      await fs.rm(home, { recursive: true });
    },
  };
}
