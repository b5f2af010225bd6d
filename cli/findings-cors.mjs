// Findings on what a page of another origin may read (Fetch, "CORS protocol").
import { ok, problem, warning } from './finding.mjs';
import { isHome, list, mayRead, view } from './view.mjs';

/** What longhaul reads, in the order of its use. */
export const READ = ['Content-Range', 'ETag', 'Content-Length', 'Content-Encoding', 'Last-Modified', 'Date', 'Accept-Ranges', 'Content-Disposition', 'Repr-Digest', 'Retry-After'];

export function cors({ origin, answers, plain, first, hops, preflight, unnamed }) {
  if (origin === undefined) return [];
  if ([...hops, plain].every((answer) => isHome(answer, origin))) return [ok('same-origin', `The file is of the page's own origin, ${origin}: CORS has no say.`)];
  const blocked = blocking([...hops, plain, first], origin);
  if (blocked) return [blocked, ...preflightOf(preflight, origin)];
  return [...allowed({ plain, origin, answers, unnamed }), ...exposure({ plain, first, origin }), ...preflightOf(preflight, origin)];
}

/** The first answer on the way that the page may not read. */
function blocking(way, origin) {
  const answer = way.find((one) => one?.fields && !isHome(one, origin) && !mayRead(one, origin));
  if (answer === undefined) return undefined;
  const sent = answer.fields.get('access-control-allow-origin');
  const wanted = answer.tainted ? '*' : origin;
  const of = answer.location === undefined ? answer.url : `${answer.url} (a redirect)`;
  const why = sent === undefined ? 'sends no Access-Control-Allow-Origin' : sent.includes(',') ? `sends two origins in Access-Control-Allow-Origin (${sent})` : `sends Access-Control-Allow-Origin: ${sent}`;
  const tainted = answer.tainted ? ' Behind a redirect to a third origin a browser sends "Origin: null".' : '';
  return problem('cors-blocked', `${of} ${why}: a page of ${origin} may not read it.${tainted}`, 'Send this header with every answer, also with 206, 416 and redirects.', `Access-Control-Allow-Origin: ${wanted}`);
}

function allowed({ plain, origin, answers, unnamed }) {
  const sent = plain.fields.get('access-control-allow-origin');
  const found = [ok('cors', `A page of ${origin} may read the answers.`)];
  const depends = unnamed?.fields && unnamed.fields.get('access-control-allow-origin') !== sent;
  if (depends && !list(plain.fields.get('vary')).some((name) => name === 'origin' || name === '*')) {
    found.push(warning('cors-vary', 'Access-Control-Allow-Origin depends on the Origin of the request, and Vary does not say so: a cache may give a page the answer for another one.', 'Send this with every answer, or always the same Access-Control-Allow-Origin.', 'Vary: Origin'));
  }
  const hidden = answers.filter((answer) => !isHome(answer, origin) && !mayRead(answer, origin));
  if (hidden.length) found.push(notAlways(hidden, `Access-Control-Allow-Origin: ${sent ?? origin}`));
  return found;
}

function notAlways(hidden, header) {
  const statuses = [...new Set(hidden.map(({ status }) => status))].join(', ');
  const wrong = hidden.map(({ fields }) => fields.get('access-control-allow-origin')).find((value) => value !== undefined);
  const how = wrong === undefined ? 'have no Access-Control-Allow-Origin' : `have Access-Control-Allow-Origin: ${wrong}`;
  const change = wrong?.includes(',') ? 'Send it once (nginx sends it twice with 416 if add_header says always; docs/guide/your-server.md shows a way out).' : 'Send it with every status (nginx: add_header … always).';
  return warning('cors-not-always', `Some answers (status ${statuses}) ${how}: they look like a broken network to a page.`, change, header);
}

/** The first answer with a range has all that matters; without one, the plain one. */
function exposure({ plain, first, origin }) {
  const answer = first?.status === 206 ? first : plain;
  if (isHome(answer, origin)) return [];
  const seen = view(answer, origin);
  const sent = READ.filter((name) => answer.fields.has(name.toLowerCase()));
  const hidden = sent.filter((name) => seen.get(name.toLowerCase()) === undefined);
  if (!hidden.length) return [ok('cors-exposed', `All that longhaul reads is exposed: ${sent.join(', ')}.`)];
  const header = `Access-Control-Expose-Headers: ${READ.filter((name) => !['Content-Length', 'Last-Modified'].includes(name)).join(', ')}`;
  const vital = hidden.filter((name) => ['Content-Range', 'ETag'].includes(name));
  if (!vital.length) return [warning('cors-hidden', `Sent, but not exposed: ${hidden.join(', ')}.`, 'Expose them.', header)];
  return [warning('cors-hidden', `Sent, but not exposed: ${hidden.join(', ')}. Without ${vital.join(' and ')} a resume can only compare length and Last-Modified.`, 'Expose them.', header)];
}

function preflightOf(preflight, origin) {
  const { answer, names, isNeeded } = preflight ?? {};
  if (!answer || isHome(answer, origin)) return [];
  const level = isNeeded ? problem : warning;
  const header = `Access-Control-Allow-Headers: ${names.join(', ')}`;
  const use = isNeeded ? '' : ' Downloads without headers of the app need none.';
  if (answer.error) return [level('preflight-refused', `OPTIONS got no answer (${answer.error}).${use}`, 'Answer OPTIONS with 204 and these headers.', header)];
  const reasons = [];
  if (answer.status < 200 || answer.status > 299) reasons.push(`is answered with ${answer.status}`);
  if (!mayRead(answer, origin)) reasons.push('has no Access-Control-Allow-Origin for the page');
  const allowedNames = list(answer.fields.get('access-control-allow-headers'));
  // The star does not stand for Authorization (Fetch, "CORS non-wildcard request-header name").
  const missing = names.filter((name) => !allowedNames.includes(name) && (name === 'authorization' || !allowedNames.includes('*')));
  if (missing.length) reasons.push(`does not allow ${missing.join(', ')}`);
  if (!reasons.length) return [ok('preflight', `The preflight for ${names.join(', ')} passes.`)];
  return [level('preflight-refused', `The preflight ${reasons.join(', ')}.${use}`, 'Answer OPTIONS with 204, Access-Control-Allow-Origin, and this header.', header)];
}
