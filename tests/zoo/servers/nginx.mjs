// nginx with gzip on.
import fs from 'node:fs/promises';
import path from 'node:path';
import { program, serveProcess, versionOf } from './support.mjs';

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

const configuration = (folder, home, port) => `daemon off;
pid "${home}/pid";
${process.getuid() === 0 ? 'user root;' : ''}
events {}
http {
  ${TEMPORARY.map((name) => `${name}_temp_path "${home}/${name}";`).join('\n  ')}
  access_log off;
  types { text/plain txt; }
  default_type application/octet-stream;
  sendfile on;
  gzip on;
  gzip_types text/plain;
  server {
    listen 127.0.0.1:${port};
    root "${folder}";
    location ~ \\.gz$ { gzip off; types {} default_type text/plain; add_header Content-Encoding gzip; }
  }
}
`;

export async function start(folder) {
  const nginx = program('nginx');
  return serveProcess(nginx, versionOf(nginx, ['-v']), async ({ home, port }) => {
    await fs.writeFile(path.join(home, 'nginx.conf'), configuration(folder, home, port));
    return { args: ['-e', 'stderr', '-p', home, '-c', 'nginx.conf'] };
  });
}
