// express.static, which is the package send.
import express from 'express';
import { isStored, npmVersion, serve, STORED_HEADERS } from './support.mjs';

export async function start(folder) {
  const app = express();
  // In any other it writes each 416 to the console.
  app.set('env', 'test');
  app.use(express.static(folder, { setHeaders: (response, path) => void (isStored(path) && response.set(STORED_HEADERS)) }));
  return serve(app, `${npmVersion('express')} (send ${npmVersion('send')})`);
}
