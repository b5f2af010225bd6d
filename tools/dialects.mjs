// `npm run dialects [-- --browser chromium|firefox|webkit|all] [--only NAME] [--write]`: servers that do odd things, and what
// becomes of their files in a real browser, held against what is expected. `--only` takes the rows whose name contains NAME, and may
// be given more than once. `--write` plays all rows in every browser and writes docs/dialects.md.
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { browserNames, main, root, setup, whyNotHere } from './setup.mjs';

/** The flags; a browser and names that exist. */
function readFlags(rows) {
  const { values } = parseArgs({ options: { browser: { type: 'string' }, only: { type: 'string', multiple: true, default: [] }, write: { type: 'boolean', default: false } } });
  const { browser = values.write ? 'all' : 'chromium', only, write } = values;
  if (write && (values.browser || only.length)) throw new Error('--write takes every row and browser');
  if (![...browserNames, 'all'].includes(browser)) throw new Error(`no browser ${browser}; there are ${browserNames.join(', ')}, all`);
  const chosen = rows.filter(({ id }) => only.length === 0 || only.some((name) => id.includes(name)));
  if (chosen.length === 0) throw new Error(`no row has ${only.join(' or ')} in its name`);
  return { browsers: browser === 'all' ? browserNames : [browser], rows: chosen, write };
}

await main(async () => {
  const { rows } = await import('../tests/dialects/rows/index.mjs');
  const flags = readFlags(rows);
  await build(await setup({ browser: true, browsers: flags.browsers }));
  const { playRows } = await import('../tests/dialects/dialects.mjs');
  const { page, printSummary } = await import('../tests/dialects/table.mjs');
  for (const name of flags.browsers.filter(whyNotHere)) console.log(`${name} is left out: ${whyNotHere(name)}`);
  const found = await playRows({ rows: flags.rows, browsers: flags.browsers.filter((name) => !whyNotHere(name)) });
  printSummary(found);
  if (flags.write) fs.writeFileSync(path.join(root, 'docs/dialects.md'), page(found));
  if (found.results.length === 0 || found.results.some(({ differences }) => differences.length)) process.exitCode = 1;
});
