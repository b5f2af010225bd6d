// Findings on the length and the coding of the body (RFC 9110 sections 8.4 and 8.6), and on HEAD.
import { codings, contentLength, isFile, isWhole } from './fields.mjs';
import { ok, problem, warning } from './finding.mjs';

const coding = (answer) => codings(answer?.fields?.get('content-encoding'));
const isCoded = (answer) => coding(answer).real.length > 0;

export function contentCoding({ plain, first, coded, codedRange }) {
  const found = [];
  const unasked = [plain, first].find((answer) => isFile(answer) && isCoded(answer));
  const words = [...new Set([plain, first].flatMap((answer) => coding(answer).others))];
  if (words.length) found.push(warning('coding-unknown', `Content-Encoding: ${words.join(', ')} is no coding that browsers know: they pass the bytes on as they are.`, "Remove it from the object's metadata, and upload without it (aws-chunked: a setting of the SDK)."));
  if (unasked) {
    const name = coding(unasked).real.join(', ');
    found.push(problem('coding-stored', `The file is sent with Content-Encoding: ${name}, although none was asked for (Accept-Encoding: identity). Was it stored so? Offsets are then not those of the file, and Chromium refuses such an answer to a request with Range.`, 'Store the file as it is, or give it as a file of its own (file.json.gz, Content-Type: application/gzip, no Content-Encoding).'));
    return found;
  }
  if (isFile(coded) && isCoded(coded)) found.push(...dynamic(plain, coded));
  if (codedRange?.status === 206 && isCoded(codedRange)) found.push(warning('coding-on-range', 'Where gzip is asked for, ranges are coded, too. Browsers ask for none with Range; proxies may.', 'Code no answers to Range.'));
  return found.length ? found : [ok('coding', 'The file comes as it is, without a content coding.')];
}

function dynamic(plain, coded) {
  const name = coding(coded).real.join(', ');
  const tags = [plain, coded].map(({ fields }) => fields.get('etag'));
  const found = [];
  if (tags[0] !== undefined && tags[0] === tags[1] && tags[0].startsWith('"')) {
    found.push(warning('coding-same-tag', `With ${name} the file has the same strong ETag as without.`, 'Give each coding a tag of its own, or a weak one.', `ETag: W/${tags[0]}`));
  }
  const vary = coded.fields.get('vary') ?? '';
  if (!/accept-encoding|\*/i.test(vary)) found.push(warning('coding-vary', `The coding depends on the request, and Vary does not say so: a cache may give ${name} to a request with Range.`, 'Send it with both.', 'Vary: Accept-Encoding'));
  return found.length ? found : [ok('coding', `${name} only where it is asked for: requests with Range get the file as it is.`)];
}

export function length({ plain, first, head, total }) {
  const found = [];
  if (total === undefined && !isCoded(plain)) {
    const seen = first?.status === 206 ? 'Content-Range ends in /*' : 'neither Content-Length nor Content-Range tells the length';
    return [problem('length-untold', `The length is not told: ${seen}. A cut could not be told from the end.`, 'Send it; let no filter or script make the body chunked.', 'Content-Length: <bytes of the file>')];
  }
  if (isCoded(plain)) return [];
  const told = isWhole(plain) ? contentLength(plain.fields.get('content-length')) : undefined;
  if (told !== undefined && told !== total) found.push(problem('length-differs', `GET tells of ${told} bytes, and Content-Range of ${total}.`, 'Let both tell the length of the file.', `Content-Length: ${total}`));
  else if (isWhole(plain) && (plain.isCut || (plain.hasEnded && plain.bytes.length < total))) {
    found.push(problem('length-dishonest', `GET tells of ${total} bytes, and the body ends after ${plain.bytes.length}.`, 'Send as many bytes as Content-Length says.'));
  }
  if (isWhole(plain) && told === undefined) found.push(warning('length-untold-plain', 'GET without Range does not tell the length.', 'Send it with each answer.', `Content-Length: ${total}`));
  found.push(...headOf({ head, plain, total }));
  return found.some(({ level }) => level === 'problem') ? found : [ok('length', `The length is told: ${total} bytes.`), ...found];
}

function headOf({ head, plain, total }) {
  if (!head || !isWhole(plain)) return [];
  if (!isWhole(head)) return [warning('head-refused', `HEAD is answered with ${head.status ?? head.error}.`, 'Answer it like GET, without the body.')];
  const told = contentLength(head.fields.get('content-length'));
  const differences = [];
  if (told !== undefined && told !== total) differences.push(`Content-Length (${told})`);
  for (const name of ['ETag', 'Content-Type']) if (head.fields.get(name.toLowerCase()) !== plain.fields.get(name.toLowerCase())) differences.push(name);
  if (!differences.length) return [ok('head', 'HEAD agrees with GET.')];
  return [warning('head-differs', `HEAD and GET differ in ${differences.join(', ')}.`, 'Answer HEAD like GET, without the body.')];
}
