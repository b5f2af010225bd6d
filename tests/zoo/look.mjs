// What a server does by itself, asked without a browser: the remarks of the table in the docs.
import http from 'node:http';

/** The head of a response, whose body is not read. */
function head(url, headers) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { headers: { 'accept-encoding': 'identity', ...headers }, agent: false }, (response) => {
      resolve({ status: response.statusCode, headers: response.headers });
      response.destroy();
    });
    request.once('error', reject);
  });
}

/** What stands out about the server at `url`, in words. */
export async function remarksOn(url, { large, text, empty }) {
  const ask = (file, headers) => head(`${url}/${file.name}`, headers);
  const first = await ask(large, { range: 'bytes=0-' });
  const { etag, 'last-modified': date } = first.headers;
  const remarks = [etag ? `${etag.startsWith('W/') ? 'weak' : 'strong'} \`ETag\`` : date ? '`Last-Modified` alone' : 'no validator'];
  if (first.status !== 206) return [...remarks, 'answers no ranges'];
  const [changed, beyond, nothing, coded] = await Promise.all([
    ask(large, { range: 'bytes=1-', 'if-range': '"another"' }),
    ask(large, { range: `bytes=${large.bytes}-` }),
    ask(empty, { range: 'bytes=0-' }),
    ask(text, { range: 'bytes=0-', 'accept-encoding': 'gzip' }),
  ]);
  if (changed.status === 206) remarks.push('ignores `If-Range`');
  if (beyond.status === 416 && !beyond.headers['content-range']) remarks.push('416 without `Content-Range`');
  if (nothing.status === 416) remarks.push('416 for an empty file');
  if (coded.headers['content-encoding']) remarks.push(`${coded.status} and gzip for text, also with \`Range\`, if the request allows it`);
  return remarks;
}
