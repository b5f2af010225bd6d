// Tests that Node's own runner runs: which files, and how.
import fs from 'node:fs';
import path from 'node:path';
import { root } from './setup.mjs';

/** All `*.test.mjs` files below a folder of tests/ whose path contains `part`. */
function testFiles(folder, part) {
  const entries = fs.readdirSync(path.join(root, 'tests', folder), { recursive: true });
  return entries.filter((name) => name.endsWith('.test.mjs') && !name.includes('node_modules') && name.includes(part)).sort().map((name) => path.join('tests', folder, name));
}

/** The arguments for Node: these folders' tests, one file at a time, since browsers share two cores. */
export function nodeTests(folders, part = '') {
  const files = folders.flatMap((folder) => testFiles(folder, part));
  if (files.length === 0) throw new Error(`no test in ${folders.join(', ')} has "${part}" in its path`);
  return ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files];
}
