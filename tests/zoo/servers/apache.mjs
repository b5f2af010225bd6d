// Apache httpd with mod_deflate, and with AddEncoding for what is stored gzip-coded.
import fs from 'node:fs/promises';
import path from 'node:path';
import { MissingServer, program, serveProcess, versionOf } from './support.mjs';

/** Where distributions keep the modules. */
const MODULE_FOLDERS = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/libexec/apache2'];
const MODULES = ['mpm_event', 'authz_core', 'mime', 'filter', 'deflate'];

const configuration = ({ folder, home, port, modules }) => `
ServerRoot "${home}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${home}/pid"
ErrorLog "${home}/error.log"
${MODULES.map((name) => `LoadModule ${name}_module "${modules}/mod_${name}.so"`).join('\n')}
${process.getuid() === 0 ? 'User nobody' : ''}
DocumentRoot "${folder}"
<Directory "${folder}">
  Require all granted
</Directory>
TypesConfig /dev/null
AddType text/plain .txt
AddEncoding gzip .gz
AddOutputFilterByType DEFLATE text/plain
`;

async function moduleFolder() {
  for (const candidate of MODULE_FOLDERS) {
    if (await fs.stat(candidate).catch(() => undefined)) return candidate;
  }
  throw new MissingServer('the modules of Apache httpd are not installed');
}

export async function start(folder) {
  const apache = program('apache2');
  const modules = await moduleFolder();
  return serveProcess(apache, versionOf(apache, ['-v']), async ({ home, port }) => {
    await fs.writeFile(path.join(home, 'httpd.conf'), configuration({ folder, home, port, modules }));
    return { args: ['-DFOREGROUND', '-f', path.join(home, 'httpd.conf')] };
  });
}
