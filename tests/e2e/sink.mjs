// Where a page sends a file that is too long to be hashed in one buffer: the bytes are hashed here, as they come.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';

async function startSink() {
  const hash = createHash('sha256');
  let size = 0;
  const server = http.createServer(async (request, response) => {
    for await (const bytes of request) {
      hash.update(bytes);
      size += bytes.length;
    }
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      return { size, sha256: hash.digest('hex') };
    },
  };
}

/** The length and the SHA-256 of a finished task's file, read as a stream: never more than one chunk is in memory. */
export async function digestOfStream(page, id) {
  const sink = await startSink();
  let found;
  try {
    await page.evaluate(
      async (id, url) => {
        const task = await session.task(id);
        // One after the other, so that they arrive in order. Without CORS the answer cannot be read, but it is awaited.
        // Chromium sends a Blob ten times as fast as an array.
        // WebKit has no `for await` on streams.
        const reader = task.file().stream().getReader();
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          await fetch(url, { method: 'POST', mode: 'no-cors', body: new Blob([part.value]) });
        }
      },
      id,
      sink.url,
    );
  } finally {
    found = await sink.close();
  }
  return found;
}
