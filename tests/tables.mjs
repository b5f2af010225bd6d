// What the tables share that commands write into the docs.

const BROWSERS = { chromium: 'Chromium', firefox: 'Firefox', webkit: 'WebKit' };

/** What a browser is called. */
export const browserTitle = (name) => BROWSERS[name];

/** Browsers with their versions, in a sentence. */
export const namedVersions = (versions) => Object.entries(versions).map(([name, version]) => `${browserTitle(name)} ${version}`).join(', ');

/** A row in Markdown. */
export const tableRow = (...cells) => `| ${cells.join(' | ')} |`;

/** The first two rows. */
export const tableHead = (...titles) => `${tableRow(...titles)}\n${tableRow(...titles.map(() => '---'))}`;

/** What was left out, one sentence for each reason. */
export function leftOut(skipped) {
  const reasons = [...new Set(skipped.map(({ reason }) => reason))];
  const titles = (reason) => skipped.filter((one) => one.reason === reason).map(({ title }) => title);
  return reasons.map((reason) => `\nLeft out: ${titles(reason).join(', ')} (${reason}).\n`).join('');
}
