// The package as its users get it: what is in the tarball, and that a plain page and a Vite project, each with the
// package installed from it, download a file to the last bit.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launchChromium } from '../browser/chromium.mjs';
import { startOrigin } from '../origin/server.mjs';
import { furnish, install, run, tool } from './install.mjs';

const FILE = { length: 5_000_003, seed: 11 };

let package_;
let clean;
before(async () => (package_ = await install((action) => (clean = action))));
after(() => clean?.());

/** An origin that serves these folders and one file, and a page of it in Chromium. */
async function visit(t, staticDirs, query = '') {
  const origin = await startOrigin({ staticDirs });
  t.after(() => origin.close());
  const chromium = await launchChromium();
  t.after(() => chromium.close());
  const file = origin.add('/file.bin', FILE);
  const page = await chromium.newPage(`${origin.url}/${query}`);
  await page.waitForFunction(() => window.download);
  return { chromium, page, file };
}

test('the tarball holds what the browser, the compiler and the command need, and nothing else', () => {
  const needed = [
    'cli/check.mjs',
    'cli/longhaul.mjs',
    'dist/client.js',
    'dist/client.js.map',
    'dist/client.d.ts',
    'dist/longhaul.wasm',
    'dist/service-worker.classic.js',
    'dist/service-worker.js',
    'dist/service-worker.js.map',
    'dist/worker.d.ts',
    'package.json',
  ];
  assert.deepEqual(needed.filter((file) => !package_.files.includes(file)), [], 'missing');
  const isExpected = (file) => needed.includes(file) || /^cli\/[a-z-]+\.mjs$/.test(file) || /^dist\/[a-z-]+\.d\.ts$/.test(file) || /^(README\.md|LICENSE-[A-Z]+)$/.test(file);
  assert.deepEqual(package_.files.filter((file) => !isExpected(file)), [], 'uncalled-for');
});

test('the tarball holds its licences and a README', () => {
  const needed = ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md'];
  assert.deepEqual(needed.filter((file) => !package_.files.includes(file)), [], 'missing');
});

test('every export exists, and its types come first', async () => {
  const { exports, dependencies } = package_.manifest;
  assert.deepEqual(Object.keys(exports), ['.', './service-worker', './service-worker.classic.js', './longhaul.wasm', './package.json']);
  for (const [name, target] of Object.entries(exports)) {
    const conditions = typeof target === 'string' ? { default: target } : target;
    if (conditions.types) assert.deepEqual(Object.keys(conditions), ['types', 'default'], name);
    for (const file of Object.values(conditions)) await fs.access(path.join(package_.installed, file));
  }
  assert.equal(dependencies, undefined);
});

test('npx longhaul runs what is installed, with nothing else beside it', async (t) => {
  const origin = await startOrigin();
  t.after(() => origin.close());
  origin.add('/file.bin', FILE);
  const said = JSON.parse(await run('npx', ['--no-install', 'longhaul', 'check', `${origin.url}/file.bin`, '--json'], package_.app));
  assert.deepEqual([said.fit, said.verdict, said.reason], [true, 'resumable', 'strong-tag']);
});

test('the source maps carry their sources', async () => {
  for (const name of ['client.js', 'service-worker.js']) {
    const map = JSON.parse(await fs.readFile(path.join(package_.installed, `dist/${name}.map`), 'utf8'));
    assert.equal(map.sources.length, map.sourcesContent.filter(Boolean).length, name);
    assert.deepEqual(map.sources.filter((source) => path.isAbsolute(source)), []);
  }
});

test('the types are whole, for a page and for a worker, and for each way in which TypeScript finds modules', async () => {
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--types', ''];
  const [client, worker] = ['client', 'worker'].map((name) => path.join(package_.installed, `dist/${name}.d.ts`));
  for (const way of [['--module', 'esnext', '--moduleResolution', 'bundler'], ['--module', 'nodenext']]) {
    await tool('typescript/bin/tsc', [...strict, ...way, '--lib', 'es2022,dom', client], package_.app);
    await tool('typescript/bin/tsc', [...strict, ...way, '--lib', 'es2022,webworker', worker], package_.app);
  }
});

for (const [kind, query] of [['classic', ''], ['module', '?module']]) {
  test(`a plain page without a bundler, with a ${kind} service worker`, async (t) => {
    await furnish(package_.app, 'plain');
    const { chromium, page, file } = await visit(t, { '/': package_.app }, query);
    assert.equal(await page.evaluate(() => window.download('/file.bin')), file.sha256);
    await page.waitForFunction(() => window.events.join() === 'completed');
    assert.deepEqual(chromium.errors, []);
  });
}

test('a Vite project in TypeScript, its service worker a module', async (t) => {
  const { app } = package_;
  await furnish(app, 'vite', ['vite']);
  await tool('typescript/bin/tsc', ['-p', '.'], app);
  await tool('typescript/bin/tsc', ['-p', 'tsconfig.sw.json'], app);
  const said = await tool('vite/bin/vite.js', ['build'], app);
  assert.doesNotMatch(said, /warn/i);
  const built = await fs.readdir(path.join(app, 'dist/assets'));
  assert.equal(built.filter((file) => /^longhaul-.+\.wasm$/.test(file)).length, 1, `one wasm, with a hash in its name: ${built}`);

  const { chromium, page, file } = await visit(t, { '/': path.join(app, 'dist') });
  const { sha256, states } = await page.evaluate(() => window.download('/file.bin'));
  assert.equal(sha256, file.sha256);
  assert.equal(states.at(-1), 'completed');
  assert.equal(await page.evaluate(() => window.failure('ftp://example.org/f')), 'unsupported-scheme');
  await page.waitForFunction(() => window.events.join() === 'completed');
  assert.deepEqual(chromium.errors, []);
});
