// The report: a line for each finding, for people, or the same as JSON for machines.

const MARKS = { ok: 'ok     ', warning: 'warning', problem: 'PROBLEM' };
const INDENT = ' '.repeat(MARKS.ok.length + 2);

/** What a verdict means for a download. */
const MEANINGS = {
  resumable: 'a cut download goes on from its last stored byte, and a strong validator proves that the bytes belong together',
  'resumable-by-comparison': 'a cut download goes on if Last-Modified and the length are the same, which is likely, not proved',
  'restart-only': 'a cut download begins anew',
  'size-unknown': 'a cut download begins anew, and its end cannot be told from a cut',
  waiting: 'a download waits',
  failed: 'a download fails',
};

const REASONS = {
  'strong-tag': 'a strong ETag',
  'strong-date': 'a Last-Modified that is strong',
  'weak-tag': 'a weak ETag, with Last-Modified and the length',
  'date-and-length': 'Last-Modified and the length',
  'ranges-ignored': 'ranges are not honoured, or not in a way that can be used',
  'no-validator': 'neither ETag nor Last-Modified can be read',
  'weak-validator': 'the validator is too weak to rely on',
  coded: 'the bytes come in a content coding',
  'length-untold': 'the length is not told, or cannot be read',
  empty: 'the file has no bytes',
  authorization: 'the server wants other headers, or another URL',
  retry: 'the server is in trouble',
  'server-asked': 'the server said when to come back',
  'http-status': 'the status is neither the file nor a reason to try again',
  'bad-content-range': 'the answer is a part that was not asked for',
  'cors-blocked': 'a page of this origin may not read the answers',
  'mixed-content': 'a page of https: may not load from http:',
  network: 'there was no answer',
};

const sentence = ({ verdict, reason }) => `${verdict} (${reason}): ${MEANINGS[verdict]}. Found: ${REASONS[reason]}.`;

function line({ level, seen, change, header }) {
  const more = [change && `${INDENT}→ ${change}`, header && `${INDENT}  ${header}`].filter(Boolean);
  return [`${MARKS[level]}  ${seen}`, ...more].join('\n');
}

export function asText({ url, finalUrl, origin, findings, requests, bytes, page, exitStatus, ...outside }) {
  const heading = finalUrl && finalUrl !== url ? `${url}\n→ ${finalUrl}` : url;
  const verdicts = [`Verdict: ${sentence(outside)}`];
  if (page) verdicts.push(`For a page of ${origin}: ${sentence(page)}`);
  const fit = ['Fit for resuming.', 'Not fit for resuming, or only partly.', 'The server cannot be reached.'][exitStatus];
  return `${heading}\n\n${findings.map(line).join('\n')}\n\n${verdicts.join('\n')}\n${fit} ${requests} requests, ${bytes} bytes.\n`;
}

/** `exitStatus` 0 is `"fit": true`. Codes are stable; sentences are not. */
export function asJson({ exitStatus, ...result }) {
  return `${JSON.stringify({ fit: exitStatus === 0, exitStatus, ...result }, undefined, 2)}\n`;
}
