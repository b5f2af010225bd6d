// Installs the servers of the zoo: npm's into tests/zoo/node_modules, Python's and Caddy into tests/zoo/.venv, the others by
// apt. A server that cannot be had here is left out by name when it is started.
import fs from 'node:fs';
import path from 'node:path';
import { aptInstall, onPath, root, run, say, step } from '../../tools/setup.mjs';

const zoo = path.join(root, 'tests/zoo');
const at = (...parts) => path.join(zoo, ...parts);
const SYSTEM_PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** Whether what `list` names was installed since it was changed. */
const isNewer = (mark, list) => fs.existsSync(mark) && fs.statSync(mark).mtimeMs >= fs.statSync(list).mtimeMs;

async function must(command, args) {
  const { ok, log } = await run(command, args, { cwd: zoo });
  if (!ok) throw new Error(`${path.basename(command)} ${args[0]} failed:\n${log.trim().split('\n').slice(-5).join('\n')}`);
}

async function npmServers() {
  if (isNewer(at('node_modules/.package-lock.json'), at('package-lock.json'))) return;
  await step("installing the zoo's npm packages", '20 s', () => must('npm', ['ci', '--no-audit', '--no-fund']));
}

async function pythonServers() {
  const mark = at('.venv/installed');
  if (isNewer(mark, at('requirements.txt'))) return;
  await step("installing the zoo's Python packages", '30 s', async () => {
    await must('python3', ['-m', 'venv', '.venv']);
    await must(at('.venv/bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', 'requirements.txt']);
    fs.writeFileSync(mark, '');
  });
}

async function systemServers() {
  const packages = { nginx: ['nginx-light'], apache2: ['apache2-bin'], lighttpd: ['lighttpd', 'lighttpd-mod-deflate'] };
  const missing = Object.keys(packages).filter((name) => !onPath(name, SYSTEM_PATH));
  if (missing.length) await aptInstall(missing.flatMap((name) => packages[name]), 'The zoo starts real servers.');
}

async function pythonItself() {
  const { ok } = await run('python3', ['-c', 'import ensurepip, venv']);
  if (!ok) await aptInstall(['python3', 'python3-venv'], 'The zoo starts servers written in Python.');
}

/** Installs what is missing. Says what could not be had and goes on without it. */
export async function setUpZoo() {
  for (const part of [npmServers, async () => (await pythonItself(), pythonServers()), systemServers]) {
    await part().catch((error) => say(`some servers are left out. ${error.message}`));
  }
}
