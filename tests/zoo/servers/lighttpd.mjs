// lighttpd with mod_deflate.
import fs from 'node:fs/promises';
import path from 'node:path';
import { program, serveProcess, versionOf } from './support.mjs';

const configuration = (folder, home, port) => `
server.modules = ( "mod_setenv", "mod_deflate" )
server.document-root = "${folder}"
server.bind = "127.0.0.1"
server.port = ${port}
server.pid-file = "${home}/pid"
mimetype.assign = ( ".txt.gz" => "text/plain; charset=utf-8", ".txt" => "text/plain; charset=utf-8", "" => "application/octet-stream" )
deflate.mimetypes = ( "text/" )
deflate.allowed-encodings = ( "gzip" )
$HTTP["url"] =~ "\\.gz$" { setenv.set-response-header = ( "Content-Encoding" => "gzip" ) deflate.mimetypes = () }
`;

export async function start(folder) {
  const lighttpd = program('lighttpd');
  return serveProcess(lighttpd, versionOf(lighttpd, ['-v']), async ({ home, port }) => {
    await fs.writeFile(path.join(home, 'lighttpd.conf'), configuration(folder, home, port));
    return { args: ['-D', '-f', path.join(home, 'lighttpd.conf')] };
  });
}
