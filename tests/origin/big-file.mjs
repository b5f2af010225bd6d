// A file of the origin's bytes on a real disk, for servers that serve real files. It is made once and then kept.
import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { cacheDir } from '../../tools/setup.mjs';
import { BLOCK_LENGTH, bytes, pieces } from './content.mjs';

const PORTION = 64 * BLOCK_LENGTH;

async function write(file, seed, length) {
  const hash = createHash('sha256');
  const handle = await fs.open(file, 'wx');
  try {
    for (let at = 0; at < length; at += PORTION) {
      const portion = Buffer.concat([...pieces(seed, at, Math.min(length, at + PORTION))]);
      hash.update(portion);
      await handle.writeFile(portion);
    }
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}

async function kept(file, sumFile, length) {
  try {
    const [{ size }, sha256] = await Promise.all([fs.stat(file), fs.readFile(sumFile, 'utf8')]);
    return size === length ? sha256 : undefined;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * The file `seed` of `content.mjs`, `length` bytes of it (default 1 GiB), as `{ dir, name, path, length, sha256 }`.
 * It lies in `dir` and is written only if it is not there yet. Its bytes cannot be compressed, so that a browser
 * that stores them needs as much disk as it would for a real download.
 */
export async function bigFile({ seed = 1, length = 2 ** 30, dir = path.join(cacheDir, 'files') } = {}) {
  // The first bytes are part of the name, so that a file of an older generator is not taken for this one.
  const name = `${seed}-${length}-${bytes(seed, 0, 4).toString('hex')}.bin`;
  const file = path.join(dir, name);
  const sumFile = `${file}.sha256`;
  let sha256 = await kept(file, sumFile, length);
  if (sha256 === undefined) {
    await fs.mkdir(dir, { recursive: true });
    const partial = `${file}.${randomUUID()}`;
    try {
      sha256 = await write(partial, seed, length);
      await fs.writeFile(sumFile, sha256);
      // Last, so that a run that is killed before leaves no file of this name.
      await fs.rename(partial, file);
    } finally {
      await fs.rm(partial, { force: true });
    }
  }
  return { dir, name, path: file, length, sha256 };
}
