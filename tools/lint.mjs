// Clippy over the native half and, where the toolchain has both for the same compiler, over the browser half.
import { spawnSync } from 'node:child_process';
import { root } from './setup.mjs';

const clippy = (...args) => spawnSync('cargo', ['clippy', '--quiet', ...args, '--', '-D', 'warnings'], { cwd: root, stdio: 'inherit' }).status ?? 1;

// Set-up names a compiler of its own only where rustup could not fetch the target; clippy cannot read its library.
const ownCompiler = process.env.RUSTC !== undefined;
if (ownCompiler) console.log('lint: the browser half is left out, clippy does not match its compiler');
const failed = clippy('--lib', '--test', 'rooms', '--test', 'store', '--bench', 'engine') || (!ownCompiler && clippy('--lib', '--test', 'web', '--target', 'wasm32-unknown-unknown'));
process.exitCode = failed ? 1 : 0;
