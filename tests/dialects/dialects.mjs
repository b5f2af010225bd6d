// Every row of the table, in one browser or in several beside one another.
import { launchers } from '../browser/launch.mjs';
import { lacks } from '../browser/lacks.mjs';
import { versionsOf } from '../browser/versions.mjs';
import { play } from './play.mjs';

/** Rows mostly wait, so several share a browser. */
const AT_A_TIME = 4;

function sayRow({ browser, id, state, code, reason, requests, sent, differences }) {
  const mark = differences.length ? `✖ ${differences.join('; ')}` : '✔';
  console.log(`${browser} ${id}: ${[state, code ?? reason].filter(Boolean).join(' ')}, ${requests} requests, ${sent} of the file ${mark}`);
}

async function playBrowser(name, rows, found) {
  const browser = await launchers[name]();
  try {
    const left = [...rows];
    const playSome = async (page) => {
      for (let row = left.shift(); row; row = left.shift()) {
        const reason = row.lacks && lacks(row.lacks, name);
        if (reason) {
          found.skipped.push({ title: `${name} · ${row.id}`, reason });
          continue;
        }
        const result = { browser: name, id: row.id, ...(await play(page, row)) };
        found.results.push(result);
        sayRow(result);
      }
    };
    // Firefox loses a page that is opened while another is closed: they stay, and go from row to row.
    const pages = [];
    while (pages.length < AT_A_TIME) pages.push(await browser.newPage());
    await Promise.all(pages.map(playSome));
  } finally {
    await browser.close();
  }
}

/** Plays the `rows` in the `browsers`: `{ rows, browsers, results, skipped, versions }`. */
export async function playRows({ browsers, rows }) {
  const found = { rows, browsers, results: [], skipped: [] };
  const played = await Promise.allSettled(browsers.map((name) => playBrowser(name, rows, found)));
  const failed = played.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return { ...found, versions: versionsOf(browsers) };
}
