// What the tests of files that leave have in common.
import assert from 'node:assert/strict';
import { rowCounts, startWorld } from '../support.mjs';

const WORKER = '?worker=/sw-moving.js';

/** A world whose pages are answered by the worker of `sw-moving.js`, and a page of it. */
export async function startMoving(t, query = '') {
  const world = await startWorld(t.after.bind(t));
  const open = (query = '') => world.open(`${WORKER}${query.replace('?', '&')}`);
  // A page that was there before its worker is not controlled by it. This one takes no events.
  await (await open('&observer')).close();
  const said = (what) => world.origin.log.map(({ path }) => path).filter((path) => path.startsWith(`/said/${what}`));
  const untilSaid = (what, times = 1) => world.origin.waitFor(() => said(what).length >= times, { what: `/said/${what}` });
  return { ...world, open, said, untilSaid, page: await open(query) };
}

/** What is written waits behind its first chunk, or goes on. */
export const setHold = (page, isHeld) =>
  page.evaluate(async (isHeld) => {
    const hold = await caches.open('hold');
    if (isHeld) await hold.put('/hold', new Response());
    else await hold.delete('/hold');
  }, isHeld);

/** What a page finds in the cache `files` for this URL: its digest, its length and its headers. */
export const inCache = (page, url) =>
  page.evaluate(async (url) => {
    const found = await (await caches.open('files')).match(url);
    if (!found) return undefined;
    const headers = Object.fromEntries(found.headers);
    const blob = await found.blob();
    return { status: found.status, headers, size: blob.size, sha256: await sha256(blob) };
  }, url);

/** What a page finds at this path of the origin private file system. */
export const inOpfs = (page, path) =>
  page.evaluate(async (path) => {
    try {
      let folder = await navigator.storage.getDirectory();
      const names = path.split('/');
      for (const name of names.slice(0, -1)) folder = await folder.getDirectoryHandle(name);
      const file = await (await folder.getFileHandle(names.at(-1))).getFile();
      return { size: file.size, sha256: await sha256(file) };
    } catch (error) {
      if (error.name === 'NotFoundError') return undefined;
      throw error;
    }
  }, path);

/** The names in a folder of the origin private file system. */
export const opfsNames = (page, folder) =>
  page.evaluate(async (folder) => {
    const names = [];
    for await (const name of (await (await navigator.storage.getDirectory()).getDirectoryHandle(folder)).keys()) names.push(name);
    return names;
  }, folder);

/** How often the page was given an event of this type, and for which tasks. */
export const given = (page, wanted) => page.evaluate((wanted) => handled.filter(({ type }) => type === wanted).map(({ taskId }) => taskId), wanted);

export const untilHandled = (page, wanted) =>
  page.waitForFunction((wanted) => handled.some(({ type }) => type === wanted), { polling: 50 }, wanted);

/** The task's file is not here any more: no chunk of any file is, nothing is read, and its URL says so. */
export async function hasLeft(page, id) {
  const found = await page.evaluate(async (id) => {
    const task = await session.task(id);
    const file = task.file();
    const code = async (promise) => (await errorOf(promise))?.code;
    const codes = [await code(file.blob()), await code(file.stream().getReader().read()), await code(file.moveTo({ cache: 'files' }))];
    return { state: task.state, place: file.place, codes, status: (await fetch(file.url)).status };
  }, id);
  const refused = ['file-released', 'file-released', 'file-released'];
  assert.deepEqual(found, { state: 'completed', place: 'gone', codes: refused, status: 410 });
  assert.equal((await rowCounts(page)).chunks, 0);
}
