// `npm run sim -- [--seeds N] [--from S] [--seed S [--trace]]`: the simulator, built for speed.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const options = process.argv.slice(2);
const run = spawnSync('cargo', ['test', '--quiet', '--profile', 'sim', '--test', 'sim', '--', ...options], { cwd: root, stdio: 'inherit' });
process.exitCode = run.status ?? 1;
