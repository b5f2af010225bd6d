// `npm run sim -- [--seeds N] [--from S] [--require-all] | [--seed S [--only CHANGES] [--trace | --shrink]]`: the simulator, built for speed.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const options = process.argv.slice(2);
// So many seeds meet everything there is: what stands at zero is not tested.
const seeds = Number(options[options.indexOf('--seeds') + 1]);
if (options.includes('--seeds') && seeds >= 20_000) options.push('--require-all');
const run = spawnSync('cargo', ['test', '--quiet', '--profile', 'sim', '--test', 'sim', '--', ...options], { cwd: root, stdio: 'inherit' });
process.exitCode = run.status ?? 1;
