// `npm run e2e [-- PART]`: the end-to-end tests alone, or those whose path contains PART.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build } from './build.mjs';
import { main, root, setup } from './setup.mjs';

await main(async () => {
  await build(await setup({ tests: true }));
  const part = process.argv[2] ?? '';
  const entries = fs.readdirSync(path.join(root, 'tests/e2e'), { recursive: true });
  const files = entries.filter((name) => name.endsWith('.test.mjs') && name.includes(part)).map((name) => path.join('tests/e2e', name));
  if (files.length === 0) throw new Error(`no end-to-end test has ${part} in its path`);
  const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files], { cwd: root, stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
