// Findings on ranges (RFC 9110 section 14): are they honoured, said rightly, and of the right bytes?
import { codings, contentLength, isMultipart, isWhole, parseContentRange } from './fields.mjs';
import { ok, problem, warning } from './finding.mjs';

const SERVE = 'Let a static file server answer, or one that knows ranges; a proxy before it must pass Range on.';
const PASS_ON = 'Let ranges through, or answer them with 200 and the whole file.';

const named = ({ start, end }) => `bytes=${start}-${end === undefined ? '' : end - 1}`;

export function ranges(found) {
  const { first, plain, total, ranges: tried } = found;
  if (total === 0) return [warning('empty', 'The file has no bytes, so there is nothing to resume.', 'Check the URL of a file that has some.')];
  if (isWhole(first) || first.status === 204) return [ignored(first)];
  if (first.status !== 206) return [refused(first, plain)];
  const asked = [{ start: 0, answer: first }, ...tried];
  const wrong = asked.map((range) => wrongPart(range, total)).filter(Boolean);
  const differ = wrong.every(({ code }) => code === 'content-range-missing') ? differences(asked, plain) : [];
  const findings = [...unique(wrong), ...differ];
  if (!findings.length && tried.length) findings.push(ok('ranges', 'Ranges are honoured: the first bytes, the middle and the last byte come as asked for, and are those of the whole file.'));
  if (first.bytes && parseContentRange(first.fields.get('content-range'))?.end < total) findings.push(capped(first));
  return [...findings, ...suffix(found), ...behind(found), ...acceptRanges(first)];
}

/** One finding for each code is enough to act on. */
const unique = (findings) => [...new Map(findings.map((one) => [one.code, one])).values()];

function ignored({ status, fields }) {
  const said = fields.get('accept-ranges');
  return problem('ranges-ignored', `Range is ignored: bytes=0- is answered with ${status}${said ? `, although Accept-Ranges says ${said}` : ''}.`, SERVE, 'Accept-Ranges: bytes');
}

function refused(first, plain) {
  if (first.error) return problem('range-refused', `A request with Range gets no answer (${first.error}); without, it is ${plain.status}.`, PASS_ON);
  if (first.status === 416) return problem('range-refused', 'bytes=0- is answered with 416, although the file has bytes.', PASS_ON);
  return problem('range-refused', `A request with Range is answered with ${first.status}; without, it is ${plain.status}.`, `${PASS_ON} Does a firewall or a signed URL forbid the header?`);
}

/** What is wrong with the head of an answer to a range, or with how many bytes came. */
function wrongPart({ start, end, answer }, total) {
  const request = named({ start, end });
  if (answer.error) return problem('range-refused', `${request} gets no answer (${answer.error}).`, PASS_ON);
  if (isWhole(answer)) return problem('ranges-ignored', `${request} is answered with ${answer.status}, although other ranges are honoured.`, SERVE);
  if (answer.status !== 206) return problem('range-refused', `${request} is answered with ${answer.status}.`, PASS_ON);
  if (isMultipart(answer.fields.get('content-type'))) return problem('multipart', `${request} is answered with multipart/byteranges.`, 'Answer one range with the bytes themselves and Content-Range.');
  const text = answer.fields.get('content-range');
  const right = `bytes ${start}-${(end ?? total ?? start + 1) - 1}/${total ?? '<length>'}`;
  if (text === undefined) return problem('content-range-missing', `${request} is answered with 206 without Content-Range.`, 'Say which bytes come.', `Content-Range: ${right}`);
  const range = parseContentRange(text);
  if (range?.start !== start || (range.total !== undefined && total !== undefined && range.total !== total)) {
    return problem('content-range-wrong', `${request} is answered with Content-Range: ${text}.`, 'Say which bytes come.', `Content-Range: ${right}`);
  }
  return wrongLength(request, range, answer);
}

function wrongLength(request, range, answer) {
  if (codings(answer.fields.get('content-encoding')).real.length) return undefined;
  const length = range.end - range.start;
  const told = contentLength(answer.fields.get('content-length'));
  const ended = answer.hasEnded || answer.isCut;
  if (told !== undefined && told !== length) return problem('length-dishonest', `${request}: Content-Range tells of ${length} bytes, Content-Length of ${told}.`, 'Send the length of the range.', `Content-Length: ${length}`);
  if ((ended && answer.bytes.length < length) || answer.bytes.length > length) {
    return problem('length-dishonest', `${request}: Content-Range tells of ${length} bytes, and ${answer.isCut ? 'the connection broke after' : 'there came'} ${answer.bytes.length}.`, 'Send as many bytes as the headers say.');
  }
  return undefined;
}

/** Whether two pieces have the same bytes where they overlap. */
function agree(a, b) {
  const [from, to] = [Math.max(a.start, b.start), Math.min(a.start + a.bytes.length, b.start + b.bytes.length)];
  if (from >= to) return true;
  return a.bytes.subarray(from - a.start, to - a.start).equals(b.bytes.subarray(from - b.start, to - b.start));
}

function differences(asked, plain) {
  const isPlain = isWhole(plain) && !isCoded(plain);
  const pieces = asked.filter(({ answer }) => !isCoded(answer)).map(({ start, answer }) => ({ start, bytes: answer.bytes, name: `bytes from ${start} on` }));
  if (isPlain) pieces.unshift({ start: 0, bytes: plain.bytes, name: 'the whole file' });
  for (const [at, piece] of pieces.entries()) {
    const other = pieces.slice(at + 1).find((next) => !agree(piece, next));
    if (other) return [problem('bytes-differ', `The bytes of ${other.name} are not those of ${piece.name}.`, 'Serve one version of the file from all nodes, and count ranges from its first byte.')];
  }
  return [];
}

const isCoded = ({ fields }) => codings(fields.get('content-encoding')).real.length > 0;

function capped(first) {
  const { end } = parseContentRange(first.fields.get('content-range'));
  return warning('range-capped', `bytes=0- is answered with the first ${end} bytes only: a download takes a request for each such part.`, 'Send all that was asked for, if you can.');
}

function suffix({ suffix: asked, total }) {
  if (!asked) return [];
  const range = asked.answer.error ? undefined : parseContentRange(asked.answer.fields.get('content-range'));
  if (asked.answer.status === 206 && range?.start === asked.start && range.end === total) return [ok('suffix', 'A range of the last bytes (bytes=-N) is honoured.')];
  return [warning('suffix', `bytes=-${total - asked.start} is not answered with the last bytes (${asked.answer.status ?? asked.answer.error}). longhaul does not ask for such ranges; players do.`, SERVE)];
}

function behind({ behind: answer, total }) {
  if (!answer) return [];
  const header = `Content-Range: bytes */${total}`;
  if (answer.status !== 416) return [warning('unsatisfiable', `A range behind the end is answered with ${answer.status ?? answer.error}, not with 416.`, 'Answer it with 416 and this header.', header)];
  const told = parseContentRange(answer.fields.get('content-range'))?.unsatisfied;
  if (told === total) return [ok('unsatisfiable', `A range behind the end is answered with 416 and ${header}.`)];
  const seen = told === undefined ? '416 does not tell the length' : `416 tells the length ${told}, and it is ${total}`;
  return [warning('unsatisfiable-untold', `${seen}: a file that is complete is fetched again after it.`, 'Send it with every 416.', header)];
}

function acceptRanges({ fields }) {
  const said = fields.get('accept-ranges');
  if (said === undefined || /^bytes$/i.test(said.trim())) return [];
  return [warning('accept-ranges', `Accept-Ranges says ${said}, although ranges are honoured.`, 'Say what is so.', 'Accept-Ranges: bytes')];
}
