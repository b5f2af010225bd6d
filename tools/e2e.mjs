// `npm run e2e [-- PART]`: the end-to-end tests alone, or those whose path contains PART.
import { spawnSync } from 'node:child_process';
import { build } from './build.mjs';
import { nodeTests } from './node-tests.mjs';
import { main, root, setup } from './setup.mjs';

await main(async () => {
  await build(await setup({ tests: true }));
  const { status } = spawnSync(process.execPath, nodeTests(['e2e'], process.argv[2]), { cwd: root, stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
