// The worker is stopped while a page reads a file by its URL: the page gets all of it, or an error, and never the beginning as
// if it were all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacks } from '../../browser/lacks.mjs';
import { download, MIB, startWorld, untilTask } from '../support.mjs';

const LENGTH = 20 * MIB;

for (const range of [undefined, 'bytes=1-', `bytes=1000-${LENGTH - 1000}`]) {
  test(`a file of several chunks, ${range ?? 'whole'}`, { skip: lacks('stop-worker') }, async (t) => {
    const { browser, origin, open } = await startWorld(t.after.bind(t));
    const file = origin.add('/a.bin', { length: LENGTH, seed: 33 });
    await (await open('?worker=/sw-stuck.js')).close();
    const page = await open('?worker=/sw-stuck.js');
    await download(page, '/a.bin', { id: 'a', maxSegments: 1 });
    await untilTask(page, 'a', (task) => task.state === 'completed');
    await page.evaluate((range) => {
      const read = async () => {
        const answer = await fetch((await session.task('a')).file().url, range ? { headers: { Range: range } } : {});
        const bytes = await answer.arrayBuffer();
        return { told: Number(answer.headers.get('content-length')), size: bytes.byteLength, sha256: await sha256(new Blob([bytes])) };
      };
      window.found = undefined;
      read().then(
        (found) => (window.found = found),
        () => (window.found = 'an error'),
      );
    }, range);
    const isStuck = () => origin.log.some(({ path }) => path === '/said/stuck');
    while (!isStuck() && !(await page.evaluate(() => window.found)));
    await browser.stopWorkers(page);
    await page.waitForFunction(() => window.found, { polling: 50 });
    const found = await page.evaluate(() => window.found);
    t.diagnostic(typeof found === 'string' ? found : `all ${found.size} bytes`);
    if (found === 'an error') return;
    assert.equal(found.size, found.told);
    if (!range) assert.deepEqual([found.size, found.sha256], [LENGTH, file.sha256]);
  });
}
