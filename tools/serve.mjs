// The demo's server, on loopback only: www/ at /, the built package at /longhaul/, and the sample origin at
// /sample/<name>, which knows ranges and validators (RFC 9110 sections 8.8, 13, 14) and sends at a steady pace.
// Samples are made here, the same bytes every time: a download may be continued after a restart of the server.
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const KIB = 1024;
const MIB = 1024 * KIB;
const SLICE_BYTES = 256 * KIB;
const SIZE_LIMITS = { min: 0, max: 1024 * MIB };
const RATE_LIMITS = { min: 4 * KIB, max: 1024 * MIB };
const LAST_MODIFIED = new Date(Date.UTC(2026, 0, 1)).toUTCString();
const CONTENT_TYPES = {
  '.bin': 'application/octet-stream',
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.wav': 'audio/wav',
  '.webmanifest': 'application/manifest+json',
};

// ---------------------------------------------------------------- samples

/** Name → size of random bytes, or the content itself; `rate` is in bytes per second and connection. */
const SAMPLES = {
  'sample.bin': { size: 48 * MIB, rate: 4 * MIB },
  'chord.wav': { content: chord(), rate: 192 * KIB },
  'hills.svg': { content: hills(), rate: 3 * KIB },
};

/** A quiet chord of 20 seconds: four notes that swell one after another (16-bit mono PCM). */
function chord() {
  const sampleRate = 22_050;
  const frames = 20 * sampleRate;
  const wav = Buffer.alloc(44 + 2 * frames);
  wav.write('RIFF    WAVEfmt ', 'latin1');
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20); // PCM
  wav.writeUInt16LE(1, 22); // one channel
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt32LE(2 * sampleRate, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(2 * frames, 40);
  for (let frame = 0; frame < frames; frame++) {
    const seconds = frame / sampleRate;
    const notes = [220, 277.18, 329.63, 440].map(
      (hertz, i) => Math.sin(2 * Math.PI * hertz * seconds) * Math.sin(Math.PI * (seconds / 5 + i / 4)) ** 2,
    );
    const fade = Math.min(1, seconds, 20 - seconds);
    wav.writeInt16LE(Math.round(6000 * fade * notes.reduce((sum, note) => sum + note)), 44 + 2 * frame);
  }
  return wav;
}

/** Five ranges of hills under a low sun. */
function hills() {
  const ridge = (layer) => {
    const points = [];
    for (let x = 0; x <= 960; x += 8) {
      const y = 230 + 58 * layer + 46 * Math.sin(x / (150 - 12 * layer) + 2.4 * layer) + 14 * Math.sin(x / 37 + layer);
      points.push(`${x},${y.toFixed(1)}`);
    }
    const colour = ['#e2b392', '#c58f86', '#8f7181', '#54566f', '#243a4a'][layer];
    return `<polygon fill="${colour}" points="0,540 ${points.join(' ')} 960,540"/>`;
  };
  return Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 540" width="960" height="540">' +
      '<rect width="960" height="540" fill="#f6dfc0"/><circle cx="660" cy="190" r="64" fill="#fff4dc"/>' +
      [0, 1, 2, 3, 4].map(ridge).join('\n') +
      '</svg>\n',
  );
}

/** Pseudo-random bytes `start` to `end` of an endless file: each 32-bit word is a hash of its index. */
function randomBytes(seed, start, end) {
  const firstWord = start >>> 2;
  const words = new Uint32Array(Math.ceil(end / 4) - firstWord);
  for (let i = 0; i < words.length; i++) {
    let word = seed + firstWord + i;
    word = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
    word = Math.imul(word ^ (word >>> 16), 0x45d9f3b);
    words[i] = word ^ (word >>> 16);
  }
  return Buffer.from(words.buffer, start % 4, end - start);
}

const clamp = (value, { min, max }) => Math.min(max, Math.max(min, value));
const asked = (text, otherwise) => (/^\d+$/.test(text ?? '') ? Number(text) : otherwise);

/** The sample of this name, if there is one (any `.bin` is), varied by `?size=` (random bytes only) and `?rate=`. */
function findSample(samples, name, query) {
  const known = Object.hasOwn(samples, name) ? samples[name] : /^[\w-]+\.bin$/.test(name) && samples['sample.bin'];
  if (!known) return undefined;
  const { content } = known;
  const seed = crypto.createHash('sha256').update(content ?? name).digest().readUInt32LE();
  const size = content?.length ?? clamp(asked(query.get('size'), known.size), SIZE_LIMITS);
  return {
    contentType: CONTENT_TYPES[path.extname(name)],
    size,
    rate: clamp(asked(query.get('rate'), known.rate), RATE_LIMITS),
    etag: `"${seed.toString(16)}-${size}"`,
    read: (start, end) => (content ? content.subarray(start, end) : randomBytes(seed, start, end)),
  };
}

async function sha256({ size, read }) {
  const hash = crypto.createHash('sha256');
  for (let start = 0; start < size; start += MIB) {
    hash.update(read(start, Math.min(size, start + MIB)));
    await setImmediate(); // lets running downloads go on
  }
  return hash.digest('hex');
}

// ---------------------------------------------------------------- ranges

/** `{start, end}` of the one range asked for; undefined: send everything; null: not satisfiable. */
function askedRange(headers, { size, etag }) {
  const condition = headers['if-range'];
  if (condition !== undefined && condition !== etag && condition !== LAST_MODIFIED) return undefined;
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
  if (!first && !last) return undefined;
  if (!first) return size > 0 && Number(last) > 0 ? { start: Math.max(0, size - Number(last)), end: size } : null;
  if (last && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return null;
  return { start: Number(first), end: last ? Math.min(size, Number(last) + 1) : size };
}

/** Yields a range at the pace that `rate()` gives now. */
async function* paced(sample, { start, end }, rate, sent) {
  for (let at = start, due = performance.now(); at < end; ) {
    const bytes = sample.read(at, Math.min(end, at + Math.min(SLICE_BYTES, Math.ceil(rate() / 20))));
    yield bytes;
    sent(bytes.length);
    at += bytes.length;
    due += (1000 * bytes.length) / rate();
    await delay(Math.max(0, due - performance.now()));
  }
}

async function sendSample(request, response, sample, record, rate) {
  const range = askedRange(request.headers, sample);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader('ETag', sample.etag);
  response.setHeader('Last-Modified', LAST_MODIFIED);
  response.setHeader('Content-Type', sample.contentType);
  const answer = (status, headers) => response.writeHead((record.status = status), headers);
  if (request.headers['if-none-match'] === sample.etag) return answer(304).end();
  if (range === null) return answer(416, { 'Content-Range': `bytes */${sample.size}`, 'Content-Length': 0 }).end();
  const { start, end } = range ?? { start: 0, end: sample.size };
  if (range) answer(206, { 'Content-Range': `bytes ${start}-${end - 1}/${sample.size}`, 'Content-Length': end - start });
  else answer(200, { 'Content-Length': sample.size });
  if (request.method === 'HEAD') return response.end();
  const body = paced(sample, { start, end }, rate, (bytes) => (record.sentBytes += bytes));
  // A client may leave at any time; what it had until then is in the record.
  return pipeline(body, response).catch(() => {}).finally(() => (record.endedAt = Date.now()));
}

// ---------------------------------------------------------------- the server

function sendText(response, status, text) {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
}

async function sendFile(response, folder, name) {
  const file = path.join(folder, name);
  const inside = file.startsWith(folder + path.sep) && !file.includes('\0');
  const content = inside && (await fs.readFile(file).catch(() => undefined));
  if (!content) return sendText(response, 404, 'There is no such file here.\n');
  const contentType = CONTENT_TYPES[path.extname(file)] ?? 'application/octet-stream';
  return response.writeHead(200, { 'Content-Type': contentType, 'Content-Length': content.length }).end(content);
}

/**
 * Starts the server; port 0 takes a free one. `samples` adds to the built-in ones or replaces them:
 * name → `{ size | content, rate }`. The log has one record for each request to a sample, its `sentBytes` live.
 * `setRate(bytesPerSecond)` overrules all rates from now on, for running downloads too; without a number it ends that.
 * @returns {Promise<{ url: string, port: number, log: object[], setRate: (rate?: number) => void, close: () => Promise<void> }>}
 */
export async function startDemoServer({ port = 0, samples = {} } = {}) {
  const allSamples = { ...SAMPLES, ...samples };
  const log = [];
  let rateForAll;

  async function answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    const name = decodeURIComponent(pathname);
    response.setHeader('Cache-Control', 'no-cache');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (!['GET', 'HEAD'].includes(request.method)) return sendText(response, 405, 'Only GET and HEAD are answered here.\n');
    if (name.startsWith('/longhaul/')) return sendFile(response, path.join(root, 'dist'), name.slice('/longhaul/'.length));
    if (!name.startsWith('/sample/')) return sendFile(response, path.join(root, 'www'), name === '/' ? 'index.html' : name);

    const sampleName = name.slice('/sample/'.length).replace(/\.sha256$/, '');
    const sample = findSample(allSamples, sampleName, searchParams);
    if (!sample) return sendText(response, 404, 'There is no such sample.\n');
    if (name.endsWith('.sha256')) return sendText(response, 200, `${await sha256(sample)}  ${sampleName}\n`);
    const { method, headers } = request;
    const record = { method, path: pathname, range: headers.range, status: 0, sentBytes: 0, startedAt: Date.now() };
    log.push(record);
    return sendSample(request, response, sample, record, () => rateForAll ?? sample.rate);
  }

  const server = http.createServer((request, response) => {
    answer(request, response).catch((error) => sendText(response, error instanceof URIError ? 400 : 500, `${error}\n`));
  });
  await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const inUse = `Port ${port} is already in use: choose another one, for example PORT=${port + 1} npm start.`;
      reject(error.code === 'EADDRINUSE' ? new Error(inUse) : error);
    });
    server.listen(port, '127.0.0.1', resolve);
  });

  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    port: server.address().port,
    log,
    setRate: (rate) => (rateForAll = rate && clamp(rate, RATE_LIMITS)),
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
