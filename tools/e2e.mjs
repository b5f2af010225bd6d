// `npm run e2e [-- --browser chromium|firefox|webkit] [PART]`: the end-to-end tests alone, or those whose path
// contains PART, in one browser.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { nodeTests } from './node-tests.mjs';
import { main, root, setup } from './setup.mjs';

await main(async () => {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { browser: { type: 'string', default: 'chromium' } } });
  await build(await setup({ tests: true }));
  const env = { ...process.env, LONGHAUL_BROWSER: values.browser };
  const { status } = spawnSync(process.execPath, nodeTests(['e2e'], positionals[0]), { cwd: root, env, stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
