// The check: asks, finds, and concludes.
import { Client } from './client.mjs';
import { codings, isFile } from './fields.mjs';
import { busy, redirects, scheme, status } from './findings-answer.mjs';
import { contentCoding, length } from './findings-body.mjs';
import { cors } from './findings-cors.mjs';
import { ranges } from './findings-ranges.mjs';
import { ifRange, nodes, validator } from './findings-version.mjs';
import { probe } from './probes.mjs';
import { isCoded, judge, lowered } from './verdict.mjs';
import { isHome, view } from './view.mjs';

/** Problems that the first answers do not show, and what they make of the verdict. */
const LOWERING = {
  'bytes-differ': 'ranges-ignored',
  'content-range-missing': 'ranges-ignored',
  'content-range-wrong': 'ranges-ignored',
  'if-range-refused': 'ranges-ignored',
  'length-dishonest': 'ranges-ignored',
  multipart: 'ranges-ignored',
  'range-refused': 'ranges-ignored',
  'ranges-ignored': 'ranges-ignored',
  'redirect-varies': 'weak-validator',
  'validators-differ': 'weak-validator',
};

/** From another origin `If-Range` is not sent, and a `Content-Range` that is missing looks like one that CORS hides. */
const AT_HOME = ['content-range-missing', 'if-range-refused'];

/** All answers that there are, flat. */
function answersOf({ plain, first, ranges: tried = [], suffix, behind, same, other, head, repeats = [] }) {
  return [plain, first, ...tried.map(({ answer }) => answer), suffix?.answer, behind, same, other, head, ...repeats].filter((answer) => answer?.fields);
}

const codingOf = ({ fields }) => codings(fields?.get('content-encoding')).real.join();

function versions(found) {
  const agreement = nodes(found);
  // Where validators differ, what If-Range is answered with is an accident of the node.
  const isAccident = agreement.some(({ level }) => level === 'problem');
  return [...validator(found), ...(isAccident ? [] : ifRange(found)), ...agreement];
}

function findingsOf(found, options) {
  const { plain, first, plainHops, firstHops, problem } = found;
  const { origin, url } = options;
  const urls = [url, ...[...plainHops, ...(firstHops ?? [])].map((hop) => hop.url), ...[plain?.url, first?.url].filter(Boolean)];
  const reached = [...scheme({ urls, origin }), ...redirects({ ...found, url })];
  if (problem) return reached;
  reached.push(...status(found));
  if (![plain, first].some(isFile)) return reached;
  const answers = answersOf(found);
  // Another coding is another representation, whose strong tag is another one (RFC 9110 section 8.8.3.3).
  const judged = codingOf(first?.status === 206 ? first : plain);
  const alike = answers.filter((answer) => isFile(answer) && codingOf(answer) === judged);
  const isForeign = origin !== undefined && !isHome(plain, origin);
  const whole = [
    ...busy(found),
    ...ranges(found),
    ...(found.total === 0 ? [] : versions({ ...found, origin, isForeign, alike })),
    ...length(found),
    ...contentCoding(found),
    ...cors({ ...found, origin, answers, hops: plainHops }),
  ];
  return [...reached, ...whole];
}

const hidesCoding = (answer, seen) => isFile(answer) && isCoded(view(answer)) && !isCoded(seen);

/** What the engine would conclude, from outside or for a page of `origin`. */
function verdictOf(found, findings, origin) {
  const { plain, first, coded } = found;
  if (found.problem) return { verdict: 'failed', reason: 'network' };
  const problems = findings.filter(({ level, code }) => level === 'problem' || code === 'if-range-refused').map(({ code }) => code);
  if (origin && problems.includes('mixed-content')) return { verdict: 'failed', reason: 'mixed-content' };
  const hidden = origin && found.plainHops.some((hop) => !view(hop, origin).isReadable);
  if (hidden) return { verdict: 'failed', reason: 'cors-blocked' };
  // Without `Range` a browser takes what coding there is.
  const asked = [first, isFile(coded) ? coded : plain];
  const views = asked.map((answer) => (answer?.fields ? view(answer, origin) : undefined));
  // A coding that CORS hides shows itself: the browser refuses the answer, or hands out more than was announced.
  if (hidesCoding(first, views[0])) views[0] = undefined;
  const isForeign = origin !== undefined && !isHome(plain, origin);
  const counts = (code) => !isForeign || !AT_HOME.includes(code);
  const lowering = problems.filter(counts).flatMap((code) => LOWERING[code] ?? []);
  return lowered(judge(...views), lowering);
}

/** `{ url, finalUrl, origin, verdict, pageVerdict, findings, requests, bytes, exitStatus }` */
export async function check(options) {
  const { url, origin } = options;
  const client = new Client(options);
  const found = await probe(client, options);
  const isUnreachable = found.plain?.error !== undefined;
  const findings = findingsOf(found, options);
  const verdict = isUnreachable ? { verdict: 'failed', reason: 'network' } : verdictOf(found, findings);
  const pageVerdict = origin === undefined || isUnreachable ? undefined : verdictOf(found, findings, origin);
  const isFit = (pageVerdict ?? verdict).verdict === 'resumable' && !findings.some(({ level }) => level === 'problem');
  return {
    url,
    finalUrl: found.plain?.url,
    origin,
    ...verdict,
    page: pageVerdict,
    findings,
    requests: client.requests,
    bytes: client.received,
    exitStatus: isUnreachable ? 2 : isFit ? 0 : 1,
  };
}
