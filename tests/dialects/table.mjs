// What the table of odd servers prints, and the page that it writes into the docs.
import { browserTitle, leftOut, namedVersions, tableHead, tableRow } from '../tables.mjs';
import { MOST_FRUITLESS, MOST_SENT } from './measure.mjs';

const isRight = ({ differences }) => differences.length === 0;

/** How many were as expected, and the rows that were not. */
export function printSummary({ results, skipped }) {
  const wrong = results.filter((result) => !isRight(result));
  if (wrong.length) console.log('\nNot as expected:');
  for (const { browser, id, differences } of wrong) console.log(`  ${browser} · ${id}: ${differences.join('; ')}`);
  for (const { title, reason } of skipped) console.log(`– ${title} left out: ${reason}`);
  console.log(`\n${results.length - wrong.length} passed, ${wrong.length} failed`);
}

/** What is expected, in words. */
function inWords({ state, code, reason, sent, requests, restarts, resumability, keeps, fileName }) {
  const told = code ?? reason;
  const parts = [told ? `${state}: \`${told}\`` : state, resumability && `\`${resumability}\``, fileName && `named \`${fileName}\``];
  if (state !== 'refused') parts.push(`≤ ${sent} × the file`, `≤ ${requests} requests`);
  if (restarts !== undefined) parts.push(`≤ ${restarts} restarts`);
  if (keeps) parts.push('keeps its bytes');
  return parts.filter(Boolean).join(', ');
}

function cell({ results, skipped }, id, browser) {
  const result = results.find((one) => one.id === id && one.browser === browser);
  if (result) return isRight(result) ? '✔' : `✖ ${result.differences.join('; ')}`;
  return skipped.some(({ title }) => title === `${browser} · ${id}`) ? 'left out' : '';
}

/** The rows about one thing that servers do. */
function section(found, title, rows) {
  const { browsers } = found;
  const lines = rows.map(({ id, name, expected }) => tableRow(name, inWords(expected), ...browsers.map((browser) => cell(found, id, browser))));
  return `### ${title}\n\n${tableHead('the server', 'expected', ...browsers.map(browserTitle))}\n${lines.join('\n')}\n`;
}

/** The rows by what they are about, in their order. */
function byTitle(rows) {
  const titles = new Map();
  for (const row of rows) {
    const title = `${row.kind}: ${row.title}`;
    titles.set(title, [...(titles.get(title) ?? []), row]);
  }
  return titles;
}

/** The page of the docs, from what was seen. */
export function page(found) {
  const { rows, browsers, results, skipped, versions } = found;
  const counts = browsers.map((browser) => {
    const own = results.filter((result) => result.browser === browser);
    return tableRow(browserTitle(browser), own.length, own.filter(isRight).length);
  });
  return `# Odd servers

Written by \`npm run dialects -- --write\` from what was seen; nothing here is typed by hand. Each row is a server that does something odd, and
what must become of a file of it, in ${namedVersions(versions)}. What is expected stands in \`tests/dialects/rows\`, and was written
before the first run; the commits that changed it say why. ✖ says in which points the outcome differs.

Every row is also held to two rules: never more than ${MOST_FRUITLESS} requests in a minute that keep no new byte, and never more than ${MOST_SENT} times
the file's bytes sent, unless the task failed with a code that says why.

${tableHead('browser', 'rows', 'as expected')}
${counts.join('\n')}
${leftOut(skipped)}
${[...byTitle(rows)].map(([title, ofTitle]) => section(found, title, ofTitle)).join('\n')}`;
}
