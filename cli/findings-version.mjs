// Findings on what tells one version of the file from another (RFC 9110 sections 8.8 and 13.1.5).
import { isConstantDate, isConstantTag, isStrongDate, isStrongTag, isWeakTag, parseDate } from './fields.mjs';
import { ok, problem, warning } from './finding.mjs';

const TAG = 'ETag: "<hash or version of the file>"';

export function validator({ plain, first }) {
  const { fields } = first.status === 206 ? first : plain;
  const [tag, date, made] = ['etag', 'last-modified', 'date'].map((name) => fields.get(name));
  const found = [...tagFindings(tag, date), ...dateFindings(tag, date, made)];
  return found.length ? found : [problem('no-validator', 'There is neither ETag nor Last-Modified: nothing tells one version from another.', 'Send a strong tag that changes with the bytes.', TAG)];
}

function tagFindings(tag, date) {
  if (tag === undefined) return [];
  if (isConstantTag(tag)) return [problem('tag-constant', `ETag: ${tag || '(nothing)'} is what servers send that have none: all versions share it, so it counts for nothing.`, 'Send a tag that changes with the bytes, or none.', TAG)];
  if (isStrongTag(tag)) return [ok('tag-strong', `ETag: ${tag} is strong.`)];
  const level = date === undefined ? problem : warning;
  const rest = date === undefined ? ' There is no Last-Modified beside it.' : ' With Last-Modified and the length it is a comparison, no proof.';
  if (isWeakTag(tag)) return [level('tag-weak', `ETag: ${tag} is weak: versions that differ in bytes may share it.${rest}`, 'Send a strong one; compression on the fly often weakens it, so leave this file out of that.', TAG)];
  return [level('tag-malformed', `ETag: ${tag} has no quotes, and counts as weak.${rest}`, 'Put it in quotes.', `ETag: "${tag.replaceAll('"', '')}"`)];
}

function dateFindings(tag, date, made) {
  if (date === undefined) return [];
  const hasStrongTag = isStrongTag(tag) && !isConstantTag(tag);
  const level = hasStrongTag ? warning : problem;
  if (parseDate(date) === undefined) return [level('date-malformed', `Last-Modified: ${date} is no HTTP date.`, 'Send it as HTTP writes dates.', 'Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT')];
  if (isConstantDate(date)) return [level('date-constant', `Last-Modified: ${date} is a date that tools give to every file: all versions share it.`, 'Send the time of the last change, or none.', hasStrongTag ? undefined : TAG)];
  if (isStrongDate(date, made)) return [ok('date-strong', `Last-Modified: ${date} is strong: the file had rested for a minute when it was sent.`)];
  if (hasStrongTag) return [];
  const why = made === undefined ? 'there is no Date' : 'it is less than a minute before Date';
  return [warning('date-weak', `Last-Modified: ${date} is weak, since ${why}.`, 'Send a strong tag.', TAG)];
}

export function ifRange({ same, other, origin, isForeign }) {
  if (!same) return [];
  const unused = isForeign ? ` From ${origin} it is not sent, since it would need a preflight.` : '';
  const found = [];
  if (same.status !== 206) {
    const level = isForeign ? warning : problem;
    found.push(level('if-range-refused', `If-Range with the file's own validator is answered with ${same.status ?? same.error}: each resume begins anew.${unused}`, 'Compare If-Range with the ETag that you send (also behind a proxy that rewrites it).'));
  }
  if (other.status !== 200) {
    const answer = other.status ?? other.error;
    found.push(warning('if-range-ignored', `If-Range with another validator is answered with ${answer}: a changed file is only noticed by its headers.${unused}`, 'Answer with 200 and the whole file if If-Range does not match.'));
  }
  return found.length ? found : [ok('if-range', 'If-Range is honoured: 206 for this version, 200 for another.')];
}

/** Answers of one representation, each on a connection of its own, must have one validator. */
export function nodes({ alike }) {
  const different = (name) => [...new Set(alike.map(({ fields }) => fields.get(name)).filter((value) => value !== undefined))];
  const [tags, dates] = [different('etag'), different('last-modified')];
  const strong = tags.filter((tag) => isStrongTag(tag) && !isConstantTag(tag));
  if (tags.length > 1) return [differ('ETag', tags, alike, 'Make the tag from the bytes or the version, not from the node, its clock or its inodes (Apache: FileETag MTime Size).')];
  if (dates.length > 1 && !strong.length) return [differ('Last-Modified', dates, alike, 'Give the file one time on all nodes (rsync -t, tar -p), or send a strong tag.')];
  if (dates.length > 1) return [warning('dates-differ', `Last-Modified differs between requests: ${dates.slice(0, 3).join(', ')}. The strong ETag is the same.`, 'Give the file one time on all nodes (rsync -t, tar -p).')];
  if (!tags.length && !dates.length) return [];
  const name = tags.length ? 'ETag' : 'Last-Modified';
  const without = alike.filter(({ fields }) => !fields.has(name.toLowerCase()));
  if (without.length) return [warning('validator-not-always', `${without.length} of ${alike.length} answers have no ${name} (status ${[...new Set(without.map(({ status }) => status))].join(', ')}).`, 'Send it with each answer, with 206, too.', `${name}: ${(tags[0] ?? dates[0])}`)];
  return [ok('nodes', `${alike.length} answers on connections of their own have the same validator.`)];
}

const differ = (name, values, { length }, change) =>
  problem('validators-differ', `${length} answers have ${values.length} values of ${name}: ${values.slice(0, 3).join(', ')}. Several nodes, each with its own? A resume at another one begins anew.`, change, name === 'ETag' ? TAG : undefined);
