// sirv as it is for production: it looks at the folder once.
import sirv from 'sirv';
import { isStored, npmVersion, serve, STORED_HEADERS } from './support.mjs';

function setHeaders(response, path) {
  if (isStored(path)) for (const [name, value] of Object.entries(STORED_HEADERS)) response.setHeader(name, value);
}

export const start = async (folder) => serve(sirv(folder, { etag: true, setHeaders }), npmVersion('sirv'));
