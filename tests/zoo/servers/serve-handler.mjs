// serve-handler, which is behind the command `serve`.
import handler from 'serve-handler';
import { npmVersion, serve, STORED_HEADERS } from './support.mjs';

export async function start(folder) {
  const headers = Object.entries(STORED_HEADERS).map(([key, value]) => ({ key, value }));
  const config = { public: folder, cleanUrls: false, headers: [{ source: '*.gz', headers }] };
  return serve((request, response) => handler(request, response, config), npmVersion('serve-handler'));
}
