// The settings that docs/guide/your-server.md gives, word by word, in the real servers that they are for: `npx longhaul check`
// must find nothing to complain of, for a page of another origin that sends a header of its own.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { check, complaints, words } from '../check/support.mjs';
import { startNginx } from '../origin/nginx.mjs';
import { root } from '../../tools/setup.mjs';
import { program, serve, serveProcess, versionOf } from './servers/support.mjs';

/** The page that the guide's settings let read the files. */
const ORIGIN = 'https://app.example';

/** The snippets below the heading of a server. */
async function snippetsOf(heading) {
  const guide = await fs.readFile(path.join(root, 'docs/guide/your-server.md'), 'utf8');
  const section = guide.split(/^## /m).find((text) => text.startsWith(`${heading}\n`));
  return [...section.matchAll(/```\w*\n(.*?)```/gs)].map(([, snippet]) => snippet);
}

async function startGuideNginx(folder) {
  const [http, server] = await snippetsOf('nginx');
  const nginx = await startNginx({ root: folder, http, server });
  return { url: nginx.url, stop: () => nginx.close() };
}

async function startGuideCaddy(folder) {
  const [snippet] = await snippetsOf('Caddy');
  const caddy = program('caddy');
  return serveProcess(caddy, versionOf(caddy, ['version']), async ({ home, port }) => {
    const options = '{\n  admin off\n  auto_https off\n  persist_config off\n}\n';
    await fs.writeFile(path.join(home, 'Caddyfile'), `${options}http://127.0.0.1:${port} {\nroot * ${folder}\n${snippet}}\n`);
    return { args: ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'], env: { HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home } };
  });
}

async function startGuideExpress(folder) {
  const { default: express } = await import('express');
  const app = express();
  app.set('env', 'test');
  const [snippet] = await snippetsOf('Express');
  // The app of the guide runs in the folder that has the files.
  const here = { static: (name, options) => express.static(path.join(folder, name), options) };
  new Function('app', 'express', snippet)(app, here);
  return serve(app);
}

const STARTS = { express: startGuideExpress, caddy: startGuideCaddy, nginx: startGuideNginx };

/** The servers that the guide has settings for, and that run here. */
export const guideServers = Object.keys(STARTS);

/** Checks the guide's settings for a server with a file: `{ server, verdict, complaints, isRight }`. */
export async function checkGuide(server, file) {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-zoo-guide-'));
  try {
    await fs.cp(file, path.join(folder, 'files/file.bin'), { preserveTimestamps: true });
    const { url, stop } = await STARTS[server](folder);
    try {
      const { status, result } = await check(`${url}/files/file.bin`, ['--origin', ORIGIN, '--header', 'Authorization: Bearer x']);
      const [verdict, wrong] = [words(result.page), complaints(result)];
      return { server, verdict, complaints: wrong, isRight: status === 0 && verdict === 'resumable strong-tag' && wrong.length === 0 };
    } finally {
      await stop();
    }
  } finally {
    await fs.rm(folder, { recursive: true });
  }
}
