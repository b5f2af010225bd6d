// Caddy's file_server with `encode gzip`.
import fs from 'node:fs/promises';
import path from 'node:path';
import { program, serveProcess, versionOf } from './support.mjs';

const configuration = (folder, port) => `{
  admin off
  auto_https off
  persist_config off
}
http://127.0.0.1:${port} {
  root * ${folder}
  encode gzip
  @stored path *.gz
  header @stored Content-Encoding gzip
  header @stored Content-Type "text/plain; charset=utf-8"
  file_server
}
`;

export async function start(folder) {
  const caddy = program('caddy');
  return serveProcess(caddy, versionOf(caddy, ['version']), async ({ home, port }) => {
    await fs.writeFile(path.join(home, 'Caddyfile'), configuration(folder, port));
    return { args: ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'], env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home } };
  });
}
