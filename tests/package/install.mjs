// The package as its users get it: packed from this checkout, and installed from the tarball into a folder of its own.
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../tools/setup.mjs';

const execute = promisify(execFile);

/** Runs a tool; what it said is in the error if it fails. */
export async function run(command, args, cwd) {
  try {
    return (await execute(command, args, { cwd, maxBuffer: 1 << 26 })).stdout;
  } catch (error) {
    throw new Error(`${[path.basename(command), ...args].join(' ')} failed:\n${error.stdout ?? ''}${error.stderr ?? error}`);
  }
}

/** A tool of the checkout's own node_modules. */
export const tool = (file, args, cwd) => run(process.execPath, [path.join(root, 'node_modules', file), ...args], cwd);

/** Packs the checkout: `{ tarball, files }`, the files as paths inside the package. */
async function pack(folder) {
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], root);
  const [name] = (await fs.readdir(folder)).filter((file) => file.endsWith('.tgz'));
  const tarball = path.join(folder, name);
  const listing = await run('tar', ['-tzf', tarball], folder);
  return { tarball, files: listing.trim().split('\n').map((file) => file.replace(/^package\//, '')).sort() };
}

/**
 * Packs, and installs into the fresh folder of an app: `{ app, files, manifest, installed }`; the folder goes when the
 * suite ends (`after`). There are no dependencies, so nothing is asked of a registry.
 */
export async function install(after) {
  await fs.access(path.join(root, 'dist/.built')).catch(() => {
    throw new Error('dist/ is not built: run "npm run build"');
  });
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-package-'));
  after(() => fs.rm(folder, { recursive: true }));
  const { tarball, files } = await pack(folder);
  const app = path.join(folder, 'app');
  await fs.mkdir(app);
  await fs.writeFile(path.join(app, 'package.json'), '{ "private": true, "type": "module" }\n');
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], app);
  const installed = path.join(app, 'node_modules/longhaul');
  const manifest = JSON.parse(await fs.readFile(path.join(installed, 'package.json'), 'utf8'));
  return { app, files, manifest, installed };
}

/** Puts a fixture's files, and tools of the checkout, into the app. */
export async function furnish(app, fixture, tools = []) {
  await fs.cp(path.join(root, 'tests/package', fixture), app, { recursive: true });
  for (const name of tools) {
    await fs.symlink(path.join(root, 'node_modules', name), path.join(app, 'node_modules', name), 'junction');
  }
}
