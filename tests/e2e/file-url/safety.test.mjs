// Downloaded bytes never act as the app: at their URL they run no script, and become part of no page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { download, outcome, startWorld } from '../support.mjs';

/** What is downloaded, and what its server says that it is. Each would leave a mark in the app's storage if it ran. */
const FILES = {
  '/harmful/page.html': 'text/html; charset=utf-8',
  '/harmful/image.svg': 'image/svg+xml',
  '/harmful/script.js': 'text/javascript; charset=utf-8',
  '/harmful/style.css': 'text/css; charset=utf-8',
  '/harmful/untyped': 'application/octet-stream',
};

async function downloaded(t) {
  const world = await startWorld(t.after.bind(t));
  // A page that was there before its worker is not controlled by it.
  await (await world.open()).close();
  const page = await world.open();
  for (const path of Object.keys(FILES)) {
    await download(page, path, { id: path });
    assert.equal((await outcome(page, path)).state, 'completed');
  }
  return { ...world, page };
}

const urlOf = (page, id) => page.evaluate(async (id) => (await session.task(id)).file().url, id);

test('as a page, a frame, a script, a style or a worker a file is refused', async (t) => {
  const { browser, page } = await downloaded(t);
  const results = await page.evaluate(async (paths) => {
    const loaded = (element) =>
      new Promise((resolve) => {
        element.onload = () => resolve('loaded');
        element.onerror = () => resolve('refused');
        document.body.append(element);
      });
    const make = (name, fields) => Object.assign(document.createElement(name), fields);
    const found = {};
    const url = async (path) => (await session.task(path)).file().url;
    found.script = await loaded(make('script', { src: await url('/harmful/script.js') }));
    found.saved = await loaded(make('script', { src: `${await url('/harmful/script.js')}&download` }));
    found.module = await loaded(make('script', { type: 'module', src: await url('/harmful/script.js') }));
    found.style = await loaded(make('link', { rel: 'stylesheet', href: await url('/harmful/style.css') }));
    found.color = getComputedStyle(document.body).color === 'rgb(1, 2, 3)';
    const worker = new Worker(await url('/harmful/script.js'));
    found.worker = await new Promise((resolve) => {
      worker.onmessage = () => resolve('runs');
      worker.onerror = () => resolve('refused');
    });
    for (const path of paths) await loaded(make('iframe', { src: await url(path) }));
    // An image may be shown; its scripts do not run.
    found.image = await loaded(make('img', { src: await url('/harmful/image.svg') }));
    found.touched = localStorage.getItem('touched');
    return found;
  }, Object.keys(FILES));
  assert.deepEqual(results, { script: 'refused', saved: 'refused', module: 'refused', style: 'refused', color: false, worker: 'refused', image: 'loaded', touched: null });
  for (const path of Object.keys(FILES)) {
    const opened = await browser.newPage(await urlOf(page, path));
    assert.match(await opened.evaluate(() => document.body.textContent), /^As a page, a frame/);
    await opened.close();
  }
  assert.equal(await page.evaluate(() => localStorage.getItem('touched')), null);
});

test('a Blob of a file runs no script, whatever its server says that it is', async (t) => {
  const { origin, open } = await startWorld(t.after.bind(t));
  const page = await open();
  // Browsers guess where there is none, or none that they understand; each of these ran in one of the three (`multipart/…` did in
  // WebKit, which never ends a fetch of it, so that is for `tests/client/file`).
  const types = ['', 'nonsense', '*/*', 'text/html', 'text/html;x', 'text/html,x', 'text/html x', 'text/plain, text/html', 'image/svg+xml', 'text/xsl', 'application/mathml+xml'];
  for (const [number, type] of types.entries()) {
    origin.add(`/${number}`, { length: 10, seed: 1, headers: { 'Content-Type': type } });
    await download(page, `/${number}`, { id: String(number) });
    assert.equal((await outcome(page, String(number))).state, 'completed', type);
  }
  const ran = await page.evaluate(async (count) => {
    const ran = [];
    for (let number = 0; number < count; number++) {
      const { type } = await (await session.task(String(number))).file().blob();
      const frames = ['', ' xmlns="http://www.w3.org/1999/xhtml"', ' xmlns="http://www.w3.org/2000/svg"'].map((namespace) => {
        const text = `<html${namespace}><script>localStorage.setItem('touched', 1)</script></html>`;
        return Object.assign(document.createElement('iframe'), { src: URL.createObjectURL(new Blob([text], { type })) });
      });
      document.body.append(...frames);
      // A frame whose content the browser would save tells nobody.
      await new Promise((resolve) => setTimeout(resolve, 500));
      frames.forEach((frame) => frame.remove());
      if (localStorage.getItem('touched') !== null) ran.push(number);
      localStorage.removeItem('touched');
    }
    return ran;
  }, types.length);
  assert.deepEqual(ran.map((number) => types[number]), []);
});

test('on a page that the worker does not answer, the URL is refused, waited for or replaced', async (t) => {
  const world = await startWorld(t.after.bind(t));
  // The page that registers the worker is not controlled by it.
  const page = await world.open('?worker=/sw-claiming.js');
  await download(page, '/harmful/untyped', { id: 'a' });
  assert.equal((await outcome(page, 'a')).state, 'completed');
  const refused = await page.evaluate(async () => {
    const file = (await session.task('a')).file();
    const code = (error) => error.code;
    let sync;
    try {
      sync = file.url;
    } catch (error) {
      sync = error.code;
    }
    return [sync, await file.servedUrl().catch(code)];
  });
  assert.deepEqual(refused, ['not-controlled', 'not-controlled']);
  const text = await page.evaluate(async () => (await fetch(await (await session.task('a')).file().servedUrl({ otherwise: 'blob' }))).text());
  assert.match(text, /harmful/);
  const waits = page.evaluate(async () => {
    const url = session.task('a').then((task) => task.file().servedUrl({ otherwise: 'wait' }));
    (await navigator.serviceWorker.ready).active.postMessage('claim');
    return new URL(await url).pathname;
  });
  assert.equal(await waits, '/longhaul/file');
});

test('every answer says that it is no page of the app', async (t) => {
  const { page } = await downloaded(t);
  for (const path of Object.keys(FILES)) {
    const fields = await page.evaluate(async (path) => Object.fromEntries((await fetch((await session.task(path)).file().url)).headers), path);
    assert.match(fields['content-security-policy'], /^sandbox; default-src 'none'/);
    assert.equal(fields['x-content-type-options'], 'nosniff');
    assert.equal(fields['cross-origin-resource-policy'], 'same-origin');
    assert.equal(fields['content-type'], FILES[path]);
  }
  const type = (path, options) => page.evaluate(async (path, options) => (await (await session.task(path)).file().blob(options)).type, path, options);
  for (const path of ['/harmful/page.html', '/harmful/image.svg']) assert.equal(await type(path), 'application/octet-stream');
  assert.equal(await type('/harmful/page.html', { type: 'text/html' }), 'text/html');
  assert.equal(await type('/harmful/script.js'), 'text/javascript; charset=utf-8');
});
