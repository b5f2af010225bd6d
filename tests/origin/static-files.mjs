// Serves folders of test pages: right content types, never cached, never outside the folder.
import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

async function realFile(dir, relative) {
  const root = await fs.realpath(dir);
  let file = await fs.realpath(path.join(root, relative));
  if ((await fs.stat(file)).isDirectory()) file = await fs.realpath(path.join(file, 'index.html'));
  return file.startsWith(root + path.sep) ? file : undefined;
}

/**
 * The file for a URL path in `staticDirs` (`{ '/prefix/': dir }`, the longest prefix wins; a folder means its
 * index.html), or undefined if there is none.
 */
export async function findStatic(staticDirs, urlPath) {
  const prefixes = Object.keys(staticDirs).sort((a, b) => b.length - a.length);
  const prefix = prefixes.find((candidate) => urlPath.startsWith(candidate));
  if (prefix === undefined) return undefined;
  try {
    return await realFile(staticDirs[prefix], decodeURIComponent(urlPath.slice(prefix.length)));
  } catch (error) {
    if (error instanceof URIError || ['ENOENT', 'ENOTDIR', 'ERR_INVALID_ARG_VALUE'].includes(error.code)) return undefined;
    throw error;
  }
}

export async function sendStatic(file, request, response) {
  const { size } = await fs.stat(file);
  response.writeHead(200, {
    'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'Content-Length': size,
    'Cache-Control': 'no-store',
  });
  if (request.method === 'HEAD') response.end();
  else await pipeline(createReadStream(file), response);
}
