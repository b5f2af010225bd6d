// An app whose package lies in a folder of its own, so that a test can deploy another version of it.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { launchBrowser } from '../browser/launch.mjs';
import { startOrigin } from '../origin/server.mjs';
import { openPage, requestsFor, staticDirs } from './support.mjs';

/** Where the component is deployed. */
export const WASM = '/longhaul/longhaul.wasm';

/** The app's origin and a browser. `deploy(folder)` changes the package before it is served for the first time. */
export async function startApp(t, { deploy = async () => {} } = {}) {
  const dist = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-deployed-'));
  await fs.cp(staticDirs['/longhaul/'], dist, { recursive: true });
  await deploy(dist);
  const origin = await startOrigin({ staticDirs: { ...staticDirs, '/longhaul/': dist } });
  let isOpen = true;
  const goOffline = async () => {
    if (isOpen) await origin.close();
    isOpen = false;
  };
  const browser = await launchBrowser();
  t.after(async () => {
    await browser.close();
    await goOffline();
    await fs.rm(dist, { recursive: true });
  });
  const fetched = () => requestsFor(origin, WASM).length;
  const restart = async () => {
    await browser.kill();
    await browser.relaunch();
  };
  return { dist, origin, browser, fetched, goOffline, restart, wasm: path.join(dist, 'longhaul.wasm'), open: (query) => openPage(browser, origin.url, query) };
}
