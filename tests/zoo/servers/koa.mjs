// Koa with koa-static, which is koa-send.
import Koa from 'koa';
import koaStatic from 'koa-static';
import { isStored, npmVersion, serve, STORED_HEADERS } from './support.mjs';

export async function start(folder) {
  const app = new Koa();
  // What a client closes early is no news.
  app.silent = true;
  const setHeaders = (response, path) => {
    if (isStored(path)) for (const [name, value] of Object.entries(STORED_HEADERS)) response.setHeader(name, value);
  };
  app.use(koaStatic(folder, { setHeaders }));
  return serve(app.callback(), `${npmVersion('koa')} (koa-send ${npmVersion('koa-send')})`);
}
