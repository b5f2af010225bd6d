// `npm run e2e [-- --browser chromium|firefox|webkit] [PART]`: the end-to-end tests alone, or those whose path
// contains PART, in one browser.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { nodeTests } from './node-tests.mjs';
import { browserNames, main, root, setup, whyNotHere } from './setup.mjs';

await main(async () => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { browser: { type: 'string', default: 'chromium' } } });
  if (!browserNames.includes(values.browser)) throw new Error(`no browser ${values.browser}; there are ${browserNames.join(', ')}`);
  await build(await setup({ tests: true, browsers: [values.browser] }));
  const reason = whyNotHere(values.browser);
  if (reason) throw new Error(reason);
  const env = { ...process.env, LONGHAUL_BROWSER: values.browser };
  const { status } = spawnSync(process.execPath, nodeTests(['e2e'], positionals[0]), { cwd: root, env, stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
