// Builds the package into dist/: the wasm (cargo, wasm-bindgen, wasm-opt), the client and the worker (tsc for the types, esbuild
// for the code), and holds each part against its budget. The recipe is wasm-pack.toml.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { cutGlue } from './cut-glue.mjs';
import { cutPanics } from './cut-panics.mjs';
import { main, root, setup } from './setup.mjs';

const dist = path.join(root, 'dist');
const at = (...parts) => path.join(root, ...parts);

function run(command, args, env = process.env) {
  const result = spawnSync(command, args, { cwd: root, env, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${path.basename(command)} failed:\n${result.stdout ?? ''}${result.stderr ?? result.error}`);
  return result.stdout;
}

async function buildWasm(recipe, env) {
  const { target, profile, 'out-dir': outDir, 'out-name': outName } = recipe.build;
  run('cargo', ['build', '--lib', `--${profile}`, '--target', 'wasm32-unknown-unknown'], env);
  const compiled = path.join(env.CARGO_TARGET_DIR ?? at('target'), 'wasm32-unknown-unknown', profile, `${outName}.wasm`);
  run('wasm-bindgen', [compiled, '--out-dir', outDir, '--out-name', outName, '--target', target, ...recipe['wasm-bindgen'].flags], env);
  const built = at(outDir, `${outName}_bg.wasm`);
  await cutPanics(built);
  const optimize = [at('node_modules/binaryen/bin/wasm-opt'), ...recipe['wasm-opt'].flags];
  const names = run(process.execPath, [...optimize, built, '-o', path.join(dist, 'longhaul.wasm')]);
  const glue = at(outDir, `${outName}.js`);
  fs.writeFileSync(glue, cutGlue(fs.readFileSync(glue, 'utf8'), JSON.parse(names)));
}

async function buildJs() {
  const tsc = at('node_modules/typescript/bin/tsc');
  for (const side of ['client', 'worker']) run(process.execPath, [tsc, '-p', at('js', `tsconfig.${side}.json`)]);
  const { build } = await import('esbuild');
  const options = { bundle: true, minify: true, target: 'es2022', legalComments: 'none', absWorkingDir: root };
  // A worker starts only the component that it was built with.
  const integrity = 'sha256-' + createHash('sha256').update(fs.readFileSync(path.join(dist, 'longhaul.wasm'))).digest('base64');
  const worker = { ...options, entryPoints: ['js/worker.ts'], inject: ['js/error-data.ts'], define: { WASM_INTEGRITY: JSON.stringify(integrity) } };
  await Promise.all([
    build({ ...options, entryPoints: ['js/client.ts'], format: 'esm', outfile: 'dist/client.js', sourcemap: true }),
    build({ ...worker, format: 'esm', outfile: 'dist/service-worker.js', sourcemap: true }),
    build({ ...worker, format: 'iife', globalName: 'longhaul', outfile: 'dist/service-worker.classic.js' }),
  ]);
}

/** Prints what each part weighs; throws if one is over its budget. */
function weigh(budget) {
  const parts = { wasm: 'longhaul.wasm', client: 'client.js', worker: 'service-worker.js' };
  const over = [];
  for (const [part, file] of Object.entries(parts)) {
    const bytes = fs.readFileSync(path.join(dist, file));
    const kilobytes = zlib.gzipSync(bytes, { level: 9 }).length / 1000;
    console.log(`${part.padEnd(7)} ${file.padEnd(20)} ${(bytes.length / 1000).toFixed(1).padStart(7)} kB  gzipped ${kilobytes.toFixed(1).padStart(6)} kB of ${budget[part]} kB`);
    if (kilobytes > budget[part]) over.push(part);
  }
  if (over.length) throw new Error(`over budget: ${over.join(', ')} (see wasm-pack.toml)`);
}

/** Builds what is missing or older than its sources. */
export async function build(env, { force = false } = {}) {
  const { parse } = await import('smol-toml');
  const recipe = parse(fs.readFileSync(at('wasm-pack.toml'), 'utf8'));
  if (force || isStale()) {
    console.log('build: compiling the component and bundling the client (about 1 min the first time) …');
    fs.rmSync(dist, { recursive: true, force: true });
    fs.mkdirSync(dist, { recursive: true });
    await buildWasm(recipe, env);
    await buildJs();
    fs.writeFileSync(path.join(dist, '.built'), '');
  }
  weigh(recipe.budget);
}

function isStale() {
  const mark = path.join(dist, '.built');
  if (!fs.existsSync(mark)) return true;
  const built = fs.statSync(mark).mtimeMs;
  const newest = (file) => {
    const stat = fs.statSync(file);
    return stat.isDirectory() ? Math.max(0, ...fs.readdirSync(file).map((name) => newest(path.join(file, name)))) : stat.mtimeMs;
  };
  return ['src', 'js', 'Cargo.toml', 'Cargo.lock', 'wasm-pack.toml', 'tsconfig.json', 'package-lock.json', 'tools/build.mjs', 'tools/cut-panics.mjs', 'tools/cut-glue.mjs'].some((name) => newest(at(name)) > built);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => build(await setup({ browser: false }), { force: true }));
}
