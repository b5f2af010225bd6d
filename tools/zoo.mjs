// `npm run zoo [-- --server NAME] [--file large|text|empty|stored] [--browser chromium|firefox|webkit|all] [--write]`: real servers
// behind a proxy that cuts, redirects and rewrites, and what becomes of their files in a real browser, held against what is
// expected and against what `npx longhaul check` says; and servers with the settings of docs/guide/your-server.md. `--server` and
// `--file` may be given more than once. `--write` plays all of it in every browser and writes docs/servers.md; `--write --go-on` plays
// only what a former `--write` has not, or what was not as expected.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { browserNames, main, root, setup, whyNotHere } from './setup.mjs';

/** The flags, each name in them one that exists. */
function readFlags(serverNames, fileNames) {
  const several = { type: 'string', multiple: true };
  const { values } = parseArgs({
    options: { browser: { type: 'string' }, server: several, file: several, write: { type: 'boolean' }, 'go-on': { type: 'boolean' } },
  });
  const { browser = values.write ? 'all' : 'chromium', server = serverNames, file = fileNames, write = false, 'go-on': goesOn = false } = values;
  if (write && (values.browser ?? values.server ?? values.file) !== undefined) throw new Error('--write takes every server, file and browser');
  if (goesOn && !write) throw new Error('--go-on goes on with a --write');
  const known = { browser: [...browserNames, 'all'], server: serverNames, file: fileNames };
  for (const [flag, names] of Object.entries({ browser: [browser], server, file })) {
    const wrong = names.find((name) => !known[flag].includes(name));
    if (wrong !== undefined) throw new Error(`no ${flag} ${wrong}; there are ${known[flag].join(', ')}`);
  }
  return { browsers: browser === 'all' ? browserNames : [browser], servers: server, files: file, write, goesOn };
}

await main(async () => {
  const { serverNames } = await import('../tests/zoo/servers/index.mjs');
  const { page, printSummary, fileNames } = await import('../tests/zoo/table.mjs');
  const flags = readFlags(serverNames, fileNames);
  await build(await setup({ browser: true, browsers: flags.browsers }));
  const { setUpZoo } = await import('../tests/zoo/setup.mjs');
  await setUpZoo();
  const { playZoo } = await import('../tests/zoo/zoo.mjs');
  for (const name of flags.browsers.filter(whyNotHere)) console.log(`${name} is left out: ${whyNotHere(name)}`);
  const { forgetParts, keepPart, keptParts } = await import('../tests/zoo/kept.mjs');
  if (flags.write && !flags.goesOn) forgetParts();
  const keeping = flags.write ? { parts: keptParts(), onPart: keepPart } : {};
  const found = await playZoo({ ...flags, ...keeping, browsers: flags.browsers.filter((name) => !whyNotHere(name)) });
  printSummary(found);
  if (flags.write) fs.writeFileSync(path.join(root, 'docs/servers.md'), page(found));
  const isRight = found.results.every(({ differences }) => differences.length === 0) && found.guide.every((tried) => tried.isRight);
  if (found.results.length === 0 || !isRight) process.exitCode = 1;
});
