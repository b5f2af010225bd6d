// `npm run bench -- [--quick] [filter]`: what the engine costs, natively (docs/benchmarks.md). `--quick` runs each
// benchmark once, to see that it works; all else goes to criterion.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const options = process.argv.slice(2).map((option) => (option === '--quick' ? '--test' : option));
const run = spawnSync('cargo', ['bench', '--quiet', '--bench', 'engine', '--', ...options], { cwd: root, stdio: 'inherit' });
process.exitCode = run.status ?? 1;
