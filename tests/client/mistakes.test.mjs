// What a newcomer does wrong, and what the console says then: a code, and a message that names the field, the value and what
// to change. The guide lists each as it is printed here. What only a real worker or browser can judge is in tests/e2e/mistakes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { root } from '../../tools/setup.mjs';
import { start } from './fakes/component.mjs';
import { rejectsWith, snapshot, startWorld, test } from './support.mjs';

const guide = fs.readFileSync(path.join(root, 'docs/guide/when-it-does-not-work.md'), 'utf8');
const GROUP = { group: 'map' };

/** What is done, with a page, its session and a finished task; the code; the message. */
const MISTAKES = [
  [({ session }) => session.download(), 'bad-argument', 'url: undefined cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.download(''), 'bad-argument', 'url: "" cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.download(42), 'bad-argument', 'url: 42 cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.download({ url: '/a.mp3' }), 'bad-argument', 'url: {"url":"/a.mp3"} cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.download('https://'), 'bad-argument', 'url: "https://" cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.download('/\ud800.mp3'), 'bad-argument', 'url: "/\\ud800.mp3" cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.download('https://me:secret@app.example/a.mp3'), 'bad-argument', 'url: contains a user name or password. Use headers or credentials.'],
  [({ session }) => session.download('ftp://app.example/a.mp3'), 'unsupported-scheme', 'Only http: and https: URLs can be transferred. (ftp:)'],
  [({ session }) => session.download('http://files.example/a.mp3'), 'mixed-content', 'An https: page cannot load from http:. (http://files.example)'],
  [({ session }) => session.download(new Request('https://app.example/a', { method: 'POST', body: 'x' })), 'bad-argument', 'method: "POST" cannot be used. It is GET.'],
  [({ session }) => session.download('/a.mp3', { method: 'POST' }), 'bad-argument', 'method: is no option here. It belongs to no download: only a GET can be made again.'],
  [({ session }) => session.download('/a.mp3', { maxConcurrentTasks: 2 }), 'bad-argument', 'maxConcurrentTasks: is no option here. It belongs to openSession(id, { configuration }).'],
  [({ page }) => page.open('podcasts', { maxConcurrentTasks: 2 }), 'bad-argument', 'maxConcurrentTasks: is no option here. It belongs to openSession(id, { configuration }).'],
  [({ page }) => page.open('podcasts', { configuration: { maxSegments: 2 } }), 'bad-argument', 'maxSegments: is no option here. It belongs to download().'],
  [({ session }) => session.download('/a.mp3', { onEvent() {} }), 'bad-argument', 'onEvent: is no option here. It belongs to openSession().'],
  [({ session }) => session.download('/a.mp3', { ifExist: 'replace' }), 'bad-argument', 'ifExist: is no option here. Did you mean ifExists?'],
  [({ session }) => session.download('/a.mp3', { ifExists: 'overwrite' }), 'bad-argument', 'ifExists: "overwrite" cannot be used. It is one of keep, replace, refresh, error.'],
  [({ session }) => session.download('/a.mp3', { priority: 1 }), 'bad-argument', 'priority: 1 cannot be used. It is one of high, normal, low.'],
  [({ session }) => session.download('/a.mp3', { metered: false }), 'bad-argument', 'metered: false cannot be used. It is one of allow, wait.'],
  [({ session }) => session.download('/a.mp3', null), 'bad-argument', 'options: null cannot be used. It is an object.'],
  [({ session }) => session.download('/a.mp3', 'a'), 'bad-argument', 'options: "a" cannot be used. It is an object.'],
  [({ session }) => session.download('/a.mp3', { headers: { Range: 'bytes=0-9' } }), 'bad-argument', 'headers: range is set by the browser or by longhaul. Leave it out.'],
  [({ session }) => session.download('/a.mp3', { mirrors: 'https://b.example/a.mp3' }), 'bad-argument', 'mirrors: "https://b.example/a.mp3" cannot be used. It is a list of URLs.'],
  [({ session }) => session.download('/a.mp3', { earliestBegin: 'tomorrow' }), 'bad-argument', 'earliestBegin: "tomorrow" cannot be used. It is a Date, or milliseconds since 1970.'],
  [({ session }) => session.download('/a.mp3', { pieces: { length: 1 << 20, sha256: ['abc'] } }), 'bad-argument', 'pieces.sha256[0]: "abc" cannot be used. It is 64 hex digits.'],
  [({ session }) => session.download('/a.mp3', { metadata: () => {} }), 'bad-argument', 'metadata: () => {} cannot be used. It is what JSON can hold.'],
  [({ session }) => session.download('/a.mp3', { destination: { opfs: '../a.mp3' } }), 'bad-argument', 'destination.opfs: "../a.mp3" cannot be used. It is a path of names with / between them.'],
  [({ session }) => session.update({ retention: { days: 0 } }), 'bad-argument', 'retention: {"days":0} cannot be used. It is until-taken, or { days } above 0.'],
  [({ session }) => session.downloadAll(['https://app.example/1.png'], GROUP), 'bad-argument', 'members: "https://app.example/1.png" cannot be used. It is a list of { url, … }.'],
  [({ session }) => session.downloadAll('https://app.example/1.png', GROUP), 'bad-argument', 'members: "https://app.example/1.png" cannot be used. It is a list of { url, … }.'],
  [({ session }) => session.downloadAll({ url: '/1.png' }, GROUP), 'bad-argument', 'members: {"url":"/1.png"} cannot be used. It is a list of { url, … }.'],
  [({ session }) => session.downloadAll([{ url: '/1.png' }]), 'bad-argument', 'options: undefined cannot be used. It is an object.'],
  [({ session }) => session.downloadAll([{ id: 'a' }], GROUP), 'bad-argument', 'url: undefined cannot be used. It is the text of a URL, or a URL.'],
  [({ session }) => session.downloadAll([{ url: '/1.png', headers: { Authorization: 'x' } }], GROUP), 'bad-argument', "headers: authorization of a group's member cannot be kept. Use persistHeaders: true, or credentials."],
  [({ page }) => page.open('podcasts', { onEvent: Promise.resolve() }), 'bad-argument', 'onEvent: {} cannot be used. It is a function.'],
  [({ page }) => page.open('podcasts', { serviceWorker: page.container }), 'bad-argument', 'serviceWorker: {"controller":null,"others":[]} cannot be used. It is a ServiceWorkerRegistration.'],
  [({ page }) => outOfScope(page).client.openSession('podcasts'), 'not-in-scope', "The service worker's scope does not cover this page. Serve its script from a higher folder. (https://app.example/assets/)"],
  [({ page, file }) => (outOfScope(page), file.servedUrl()), 'not-in-scope', "The service worker's scope does not cover this page. Serve its script from a higher folder. (https://app.example/assets/)"],
  [({ page }) => ((page.container.getRegistration = async () => undefined), page.client.openSession('podcasts')), 'no-service-worker', 'No service worker was found. Pass the registration of one that calls attach().'],
  [({ file }) => file.servedUrl(), 'not-controlled', 'The service worker does not answer this page. Reload it, call attach() before other fetch listeners, or use blob(). (no-controller)'],
  [({ page, file }) => ((page.document.body = null), controlled(page), file.saveAs()), 'save-failed', 'The browser did not save the file. It takes a page with a body, and its own origin in frame-src.'],
  [async ({ file }) => file.stream({ start: -1 }), 'bad-argument', 'start: -1 cannot be used. It is a position.'],
  [async ({ file }) => file.stream({ start: 9, end: 5 }), 'bad-argument', 'end: 5 cannot be used. It is a position behind start.'],
  [({ file }) => file.moveTo({ createWritable: async () => { throw new DOMException('denied', 'NotAllowedError'); } }), 'destination-failed', 'The file could not be written to its destination. Call moveTo() or resume() again. (NotAllowedError: denied)'],
];

/** The page's only worker is one that a bundler has put into a folder. */
function outOfScope(page) {
  page.registration.scope = 'https://app.example/assets/';
  page.container.others = [page.registration];
  page.container.getRegistration = async () => undefined;
  return page;
}

function controlled(page) {
  page.control();
  page.fetch = async () => new Response(null, { headers: { 'Longhaul-Files': '1' } });
}

const titleOf = (ask) => String(ask).replace(/^.*?=> /, '');

for (const [ask, code, message] of MISTAKES) {
  test(`${code}: ${titleOf(ask)}`, async (t) => {
    const { worker, newPage } = startWorld(t);
    const page = newPage();
    worker.answer('open', () => ({ version: 1, differs: false, files: 'https://app.example/longhaul/file' }));
    const session = await page.open();
    worker.tasks.set('one', snapshot({ id: 'one', state: 'completed' }));
    const file = (await session.task('one')).file();
    worker.received.length = 0;
    const error = await rejectsWith(page, ask({ page, session, file }), code);
    assert.equal(error.message, message);
    assert.ok(guide.includes(message.replaceAll('|', '\\|')), `the guide does not have: ${message}`);
    await worker.settled(page);
    assert.equal(worker.all('download').length + worker.all('download-all').length, 0, 'nothing was sent');
  });
}

test('a page without service workers is told that it needs a secure one', async (t) => {
  const page = startWorld(t).newPage({ serviceWorker: undefined });
  const message = 'No service worker was found. Pass the registration of one that calls attach(). (they need https: or localhost)';
  assert.equal((await rejectsWith(page, page.client.openSession('podcasts'), 'no-service-worker')).message, message);
  assert.ok(guide.includes(message));
});

test('attach() without the wasm is refused where it is called', async () => {
  const message = "wasm: undefined cannot be used. It is the URL of the package's longhaul.wasm.";
  await assert.rejects(start({ wasm: undefined }), { code: 'bad-argument', message });
  await assert.rejects(start({ onEvents: 'log' }), { code: 'bad-argument', message: 'onEvents: "log" cannot be used. It is a function.' });
  assert.ok(guide.includes(message));
});

test('there are forty of them, and more', () => {
  assert.ok(MISTAKES.length >= 40, String(MISTAKES.length));
});
