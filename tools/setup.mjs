// Makes a bare machine able to build and test longhaul. Each tool is looked for first and fetched only if
// missing: the normal way with internet, else from the package registries, else one sentence says what to install.
// Safe to run twice; the second run only looks.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const TARGET = 'wasm32-unknown-unknown';
/** Where things that are costly to make are kept between runs. */
export const cacheDir = path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache'), 'longhaul');

/** A set-up step that cannot go on; its message is the one sentence that says what to do. */
class SetupError extends Error {}

export const say = (text) => console.log(`set-up: ${text}`);

function look(command, args = [], env = process.env) {
  const result = spawnSync(command, args, { env, encoding: 'utf8' });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

export function onPath(name, searchPath = process.env.PATH) {
  return searchPath
    .split(path.delimiter)
    .map((dir) => path.join(dir, name))
    .find((file) => fs.existsSync(file));
}

export function run(command, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (log += data));
    child.on('error', (error) => resolve({ ok: false, log: String(error) }));
    child.on('close', (code) => resolve({ ok: code === 0, log }));
  });
}

/** Says what a long step does, runs it, and says how long it took. */
export async function step(what, about, action) {
  say(`${what} (about ${about}) …`);
  const started = Date.now();
  const value = await action();
  say(`… ${what}: done in ${((Date.now() - started) / 1000).toFixed(0)} s`);
  return value;
}

/** What a failed step said, shortened: the cause often stands at the beginning, sometimes at the end. */
function tail(log) {
  const lines = log.trim().split('\n');
  return lines.length <= 20 ? lines.join('\n') : [...lines.slice(0, 8), '…', ...lines.slice(-10)].join('\n');
}

// ---------------------------------------------------------------- Debian packages

const isDebian = () => fs.existsSync('/etc/debian_version') && onPath('apt-get');
const asRoot = () => (process.getuid?.() === 0 ? [] : look('sudo', ['-n', 'true']) !== undefined ? ['sudo', '-n'] : undefined);

function apt(prefix, args) {
  const [command, ...rest] = [...prefix, 'apt-get', ...args];
  return run(command, rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
}

/** The package lists of a machine may be months old, and name old browsers: they are fetched before the first install. */
let listsAreFresh;
/** Only one apt-get can run at a time. */
let aptQueue = Promise.resolve();

export async function aptInstall(packages, why) {
  const prefix = asRoot();
  if (!isDebian() || !prefix) {
    throw new SetupError(`${why} Install the equivalent of Debian's ${packages.join(', ')} and run the same command again.`);
  }
  const install = async () => {
    listsAreFresh ??= step('fetching the package lists', '5 s', () => apt(prefix, ['update']));
    const { ok } = await listsAreFresh;
    if (!ok) say('the package lists could not be fetched; taking what the present ones name');
    await step(`installing ${packages.join(', ')} with apt-get`, '1 min', async () => {
      const result = await apt(prefix, ['install', '-y', '--no-install-recommends', ...packages]);
      if (!result.ok) throw new SetupError(`apt-get could not install ${packages.join(', ')}:\n${tail(result.log)}`);
    });
  };
  const installed = aptQueue.then(install);
  aptQueue = installed.catch(() => {});
  return installed;
}

// ---------------------------------------------------------------- Rust and its wasm target

const DEBIAN_RUST_PATH = `/usr/bin${path.delimiter}${process.env.PATH}`;
const DEBIAN_RUST_ENV = () => {
  const linker = fs.existsSync('/usr/bin') ? fs.readdirSync('/usr/bin').filter((name) => /^wasm-ld-\d+$/.test(name)) : [];
  linker.sort((a, b) => Number(b.slice(8)) - Number(a.slice(8)));
  return {
    PATH: DEBIAN_RUST_PATH,
    RUSTC: '/usr/bin/rustc',
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER: linker[0] ?? 'wasm-ld',
  };
};

function stdDir(env) {
  const sysroot = look('rustc', ['--print', 'sysroot'], env);
  return sysroot && path.join(sysroot, 'lib/rustlib', TARGET, 'lib');
}

function hasStd(env) {
  const dir = stdDir(env);
  return Boolean(dir && fs.existsSync(dir) && fs.readdirSync(dir).some((name) => /^libstd-.*\.rlib$/.test(name)));
}

async function buildDebianStd() {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'longhaul-std-'));
  try {
    fs.mkdirSync(path.join(work, 'src'));
    fs.writeFileSync(path.join(work, 'Cargo.toml'), '[package]\nname = "throwaway"\nversion = "0.0.0"\nedition = "2021"\n');
    fs.writeFileSync(path.join(work, 'src/lib.rs'), '#![no_std]\n');
    const result = await run(
      '/usr/bin/cargo',
      ['build', '--release', '-Z', 'build-std=std,panic_abort,panic_unwind,test', '--target', TARGET],
      {
        cwd: work,
        env: {
          ...process.env,
          ...DEBIAN_RUST_ENV(),
          // Without the bitcode, `lto = true` fails later with "Can't find section .llvmbc".
          RUSTFLAGS: '-Cembed-bitcode=yes',
          RUSTC_BOOTSTRAP: '1',
          CARGO_TARGET_DIR: path.join(work, 'target'),
        },
      },
    );
    if (!result.ok) throw new SetupError(`The wasm standard library could not be built:\n${tail(result.log)}`);
    const built = path.join(work, 'target', TARGET, 'release/deps');
    const into = stdDir({ ...process.env, PATH: DEBIAN_RUST_PATH });
    const rlibs = fs.readdirSync(built).filter((name) => name.endsWith('.rlib') && !name.startsWith('libthrowaway'));
    const prefix = asRoot();
    for (const [command, ...args] of [
      [...prefix, 'mkdir', '-p', into],
      [...prefix, 'cp', ...rlibs.map((name) => path.join(built, name)), into],
    ]) {
      const copied = await run(command, args);
      if (!copied.ok) throw new SetupError(`The wasm standard library could not be put into ${into}:\n${tail(copied.log)}`);
    }
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** The environment in which `cargo` and `wasm-pack` can build for wasm32. */
async function wasmRust() {
  if (!onPath('cargo')) {
    throw new SetupError('No Rust toolchain was found: install stable Rust with rustup (rustup.rs) and run the same command again.');
  }
  if (hasStd(process.env)) return {};
  const debian = { ...process.env, PATH: DEBIAN_RUST_PATH };
  if (fs.existsSync('/usr/bin/rustc') && hasStd(debian)) return DEBIAN_RUST_ENV();
  if (onPath('rustup')) {
    const added = await step(`rustup target add ${TARGET}`, '20 s', () => run('rustup', ['target', 'add', TARGET], { timeout: 300_000 }));
    if (added.ok && hasStd(process.env)) return {};
    say('rustup could not fetch the target here; taking Debian\'s compiler and building its standard library instead');
  }
  await aptInstall(['rustc-web', 'cargo-web', 'rust-web-src', 'lld-22'], `The Rust target ${TARGET} is missing and rustup cannot fetch it.`);
  if (!hasStd(debian)) await step(`building the standard library for ${TARGET}`, '1 min', buildDebianStd);
  if (!hasStd(debian)) throw new SetupError(`The Rust target ${TARGET} is missing: run "rustup target add ${TARGET}" and try again.`);
  return DEBIAN_RUST_ENV();
}

// ---------------------------------------------------------------- tools that cargo installs

function lockedVersion(crate) {
  const lock = fs.readFileSync(path.join(root, 'Cargo.lock'), 'utf8');
  return lock.match(new RegExp(`name = "${crate}"\\nversion = "([^"]+)"`))?.[1];
}

/** The folder that holds `binary` in exactly this version; installed into our own cache, never over the user's. */
async function cargoTool(crate, binary, version, about) {
  const wanted = (file) => look(file, ['--version'])?.split(/\s+/).includes(version);
  const found = onPath(binary);
  if (found && wanted(found)) return path.dirname(found);
  const dir = path.join(cacheDir, `${crate}-${version}`);
  if (wanted(path.join(dir, 'bin', binary))) return path.join(dir, 'bin');
  await step(`installing ${crate} ${version}`, about, async () => {
    const spec = `${crate}@${version}`;
    const ways = [
      ...(onPath('cargo-binstall') ? [['binstall', '--no-confirm', '--root', dir, spec]] : []),
      ['install', '--root', dir, '--locked', spec],
      // The lock inside the crate may name a version that the registry at hand does not have.
      ['install', '--root', dir, spec],
    ];
    let last;
    for (const way of ways) {
      last = await run('cargo', way, { cwd: os.tmpdir() });
      if (last.ok && wanted(path.join(dir, 'bin', binary))) return;
    }
    throw new SetupError(`Install ${crate} ${version} ("cargo install ${spec}") and run the same command again:\n${tail(last.log)}`);
  });
  return path.join(dir, 'bin');
}

// ---------------------------------------------------------------- npm packages, browsers, servers

async function npmPackages() {
  const mark = path.join(root, 'node_modules/.package-lock.json');
  const lock = path.join(root, 'package-lock.json');
  if (fs.existsSync(mark) && fs.statSync(mark).mtimeMs >= fs.statSync(lock).mtimeMs) return;
  await step('installing the npm packages', '20 s', async () => {
    const result = await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root });
    if (!result.ok) throw new SetupError(`"npm ci" failed; it needs the npm registry:\n${tail(result.log)}`);
  });
}

/** The Chromium (or Chrome) to drive, if any. `CHROME_PATH` wins. */
export function findChromium() {
  if (process.env.CHROME_PATH) return process.env.CHROME_PATH;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
    const file = onPath(name);
    if (file) return file;
  }
  const mac = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
  return fs.existsSync(mac) ? mac : undefined;
}

/** The Firefox to drive, if any. `FIREFOX_PATH` wins. */
export function findFirefox() {
  if (process.env.FIREFOX_PATH) return process.env.FIREFOX_PATH;
  const file = onPath('firefox-esr') ?? onPath('firefox');
  const mac = '/Applications/Firefox.app/Contents/MacOS/firefox';
  return file ?? (fs.existsSync(mac) ? mac : undefined);
}

export const findWebKitDriver = () => onPath('WebKitWebDriver');
export const findXvfb = () => onPath('Xvfb');
const hasWebKit = () => look('/usr/bin/python3', ['-c', 'import gi; gi.require_version("WebKit2", "4.1")']) !== undefined;

/** The browsers of the end-to-end tests: whether each can be driven here, and Debian's packages for it. */
const BROWSERS = {
  chromium: { isHere: () => Boolean(findChromium()), packages: ['chromium'] },
  firefox: { isHere: () => Boolean(findFirefox()), packages: ['firefox-esr'] },
  webkit: {
    isHere: () => Boolean(findWebKitDriver() && findXvfb() && hasWebKit()),
    packages: ['webkit2gtk-driver', 'python3-gi', 'gir1.2-webkit2-4.1', 'xvfb'],
  },
};

export const browserNames = Object.keys(BROWSERS);

/** Why this browser cannot be tested in here; `undefined` if it can. */
export function whyNotHere(name) {
  const { isHere, packages } = BROWSERS[name];
  return isHere() ? undefined : `${name} is not installed (on Debian: ${packages.join(', ')})`;
}

/** nginx lives in sbin, which is not on every user's PATH. */
export const findNginx = () => onPath('nginx', `${process.env.PATH}:/usr/sbin:/usr/local/sbin`);
export const findChromedriver = () => onPath('chromedriver');
/** Makes the film that the end-to-end tests play. */
export const findFfmpeg = () => onPath('ffmpeg');

async function debianTools({ tests, browser }) {
  const missing = [];
  if (browser && !findChromium()) missing.push('chromium');
  if (tests && !findChromedriver()) missing.push('chromium-driver');
  if (tests && !findNginx()) missing.push('nginx-light');
  if (tests && !findFfmpeg()) missing.push('ffmpeg');
  if (!missing.length) return;
  try {
    await aptInstall(missing, 'The tests drive a real browser against a real server.');
  } catch (error) {
    if (tests) throw error;
    say(`no browser here, so the tour is left out. ${error.message}`);
  }
}

/** The browsers that the tests want. They go on without one that cannot be had, and say so. */
async function otherBrowsers(wanted) {
  for (const name of wanted.filter(whyNotHere)) {
    try {
      await aptInstall(BROWSERS[name].packages, `The end-to-end tests run in ${name} too.`);
    } catch (error) {
      say(`${name} is left out. ${error.message}`);
    }
  }
}

/**
 * Sets up what a build needs; with `tests: true` also what the tests need, with `browser: true` a browser, and
 * those that `browsers` names. Returns the environment for builds.
 */
export async function setup({ tests = false, browser = tests, browsers = [] } = {}) {
  if (Number(process.versions.node.split('.')[0]) < 20) throw new SetupError('Node 20 or newer is needed.');
  const tools = [
    ['wasm-bindgen-cli', 'wasm-bindgen', lockedVersion('wasm-bindgen')],
    // Only the tests in the browser's own runtime need it: the build calls cargo and wasm-bindgen itself.
    ...(tests ? [['wasm-pack', 'wasm-pack', '0.15.1']] : []),
  ];
  // On a bare machine each of these takes minutes. They do not depend on one another; the tools need only cargo.
  const steps = await Promise.allSettled([
    wasmRust(),
    Promise.all(tools.map((tool) => cargoTool(...tool, '4 min'))),
    npmPackages(),
    debianTools({ tests, browser }).then(() => otherBrowsers(browsers)),
  ]);
  const failed = steps.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  const [{ value: rust }, { value: dirs }] = steps;
  return { ...process.env, ...rust, PATH: [...dirs, rust.PATH ?? process.env.PATH].join(path.delimiter) };
}

/** Runs a tool's main function; a set-up error ends it with its one sentence instead of a stack. */
export async function main(action) {
  try {
    await action();
  } catch (error) {
    console.error(error instanceof SetupError ? `set-up: ${error.message}` : error);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(async () => {
    await setup({ tests: true, browsers: browserNames });
    say('everything is here');
  });
}
