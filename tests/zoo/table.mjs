// What the zoo prints, and the page that it writes into the docs.
import { checkKey } from './check.mjs';
import { browserTitle, leftOut, namedVersions, tableHead, tableRow as row } from '../tables.mjs';
import { WAYS } from './proxy.mjs';
import { titleOf } from './servers/index.mjs';

const FILES = { large: '12 MiB', text: 'text', empty: 'empty file', stored: 'stored gzip-coded' };

export const fileNames = Object.keys(FILES);

const isRight = ({ differences }) => differences.length === 0;

/** A line for each server: how many of its runs were as expected, by file. */
export function printSummary({ results, guide, skipped }) {
  console.log('');
  for (const name of new Set(results.map(({ server }) => server))) {
    const ofServer = results.filter(({ server }) => server === name);
    const cells = Object.keys(FILES).map((file) => {
      const runs = ofServer.filter((result) => result.file === file);
      return `${file} ${runs.filter(isRight).length}/${runs.length}`;
    });
    console.log(`${ofServer.every(isRight) ? '✔' : '✖'} ${titleOf(name).padEnd(20)} ${ofServer[0].version.padEnd(32)} ${cells.map((cell) => cell.padEnd(13)).join(' ')}`);
  }
  for (const { server, isRight, verdict, complaints } of guide) {
    console.log(`${isRight ? '✔' : '✖'} ${titleOf(server)}, set up as the guide says: ${[verdict, ...complaints].join('; ')}`);
  }
  for (const { title, reason } of skipped) console.log(`– ${title.padEnd(20)} left out: ${reason}`);
  const wrong = results.filter((result) => !isRight(result));
  if (wrong.length) console.log('\nNot as expected:');
  for (const { browser, server, file, way, event, differences } of wrong) {
    console.log(`  ${browser} · ${server} · ${file} · ${way} · ${event}: ${differences.join('; ')}`);
  }
  console.log(`\n${results.length - wrong.length} passed, ${wrong.length} failed`);
}

const verdictOf = ({ state, code, resumability, resumabilityReason, differences }) =>
  `${differences.length ? '✖ ' : ''}${state === 'completed' ? `${resumability} (${resumabilityReason})` : `${state}${code ? `: ${code}` : ''}`}`;

/** The verdict of one file of one server: one for all browsers, or each with its own. */
function cell(results, server, file) {
  const plain = results.filter((result) => result.server === server && result.file === file && result.way === 'far' && result.event === 'plain');
  const verdicts = plain.map(verdictOf);
  if (new Set(verdicts).size === 1) return verdicts[0];
  return plain.map((result, at) => `${browserTitle(result.browser)}: ${verdicts[at]}`).join('<br>');
}

/** Whether `npx longhaul check` says of one server what became of the downloads in all browsers; else what it says instead. */
function checkCell(results, server) {
  const ofServer = results.filter((result) => result.server === server);
  const wrong = ofServer.filter(({ disagreements }) => disagreements.length);
  const asked = new Set(ofServer.map(checkKey)).size;
  if (wrong.length === 0) return `agrees (${asked} of ${asked})`;
  const told = ({ file, way, said }) => `✖ ${FILES[file]}, ${way}: ${said.verdict} (${said.reason})`;
  return [...new Set(wrong.map(told))].join('<br>');
}

function wrongRows(results) {
  const wrong = results.filter((result) => !isRight(result));
  if (wrong.length === 0) return ['Every run was as expected.'];
  const rows = wrong.map(({ browser, server, file, way, event, differences }) =>
    row(browserTitle(browser), titleOf(server), FILES[file], way, event, differences.join('; ')));
  return [`${wrong.length} were not as expected:`, '', tableHead('browser', 'server', 'file', 'way', 'event', 'seen'), ...rows];
}

/** The page of the docs, from what was seen. */
export function page({ results, guide, skipped, remarks, versions }) {
  const names = [...new Set(results.map(({ server }) => server))];
  const versionOf = (name) => results.find(({ server }) => server === name).version;
  const rows = names.map((name) => row(titleOf(name), versionOf(name), ...Object.keys(FILES).map((file) => cell(results, name, file)), checkCell(results, name), remarks[name].join(', ')));
  return `# Servers

Written by \`npm run zoo -- --write\` from what was seen; nothing here is typed by hand. Each server serves a file of 12 MiB of random
bytes, a text, an empty file, and a text that is stored gzip-coded (\`Content-Encoding: gzip\`). The built package downloads
each in ${namedVersions(versions)}: undisturbed, cut when three quarters were sent, and with the worker
killed then. Expected outcomes stand in \`tests/zoo/expected.mjs\`.

The verdicts are those of a page of another origin, to which the server exposes \`Content-Range\` and \`ETag\`. A file that is \`restart-only\` or
\`size-unknown\` arrives, but begins again after a cut.

\`npx longhaul check\` asks each server for each file in each of the ways below; it agrees if its verdict and reason are those of the
tasks in every browser.

${tableHead('server', 'version', ...Object.values(FILES), 'longhaul check', 'remarks')}
${rows.join('\n')}
${leftOut(skipped)}
## What lies between

A small proxy stands between the browser and each server. Each run comes by one of these ways:

${tableHead('way', 'what the proxy does', 'runs', 'as expected')}
${Object.entries(WAYS).map(([way, what]) => {
    const runs = results.filter((result) => result.way === way);
    return row(way, what, runs.length, runs.filter(isRight).length);
  }).join('\n')}

## As the guide sets them up

\`npx longhaul check\` of a file, for a page of another origin that sends an \`Authorization\` of its own, of servers with the settings
of [What your server must do](guide/your-server.md):

${row('server', 'verdict', 'complaints')}
${row('---', '---', '---')}
${guide.map(({ server, verdict, complaints }) => row(titleOf(server), verdict, complaints.join(', ') || 'none')).join('\n')}

## Runs

${results.length} runs. ${wrongRows(results).join('\n')}
`;
}
