// URLs and headers, checked: what the browser would refuse or silently drop is refused at the call.
import { badArgument, LonghaulError, refusal } from './errors.js';
import type { HeaderPair, Source } from './protocol.js';

/** What fetch drops (Fetch, "forbidden request-header"), and what resuming has to set itself. */
const RESERVED = new RegExp(
  '^(range|if-(range|match|none-match|modified-since|unmodified-since)|accept-(charset|encoding)|access-control-request-.*' +
    '|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|proxy-.*|referer|sec-.*|set-cookie|te' +
    '|trailer|transfer-encoding|upgrade|via)$',
);
/** Headers that are no secrets. */
const HARMLESS = /^(accept|accept-language|content-language)$/;
/** Half of a character, which neither a URL nor a record can keep. */
export const LONE = /\p{Cs}/u;
const LOOPBACK = /^(.+\.)?localhost$|^127\.|^\[::1\]$/;

/** The URL as the browser parses it, from this page's or worker's own. */
export function parseSource(url: string | URL, field = 'url'): Source {
  const text = url instanceof URL ? url.href : url;
  let target;
  try {
    // What is no text would be made one, like `/undefined`, and an empty one is the page itself.
    if (typeof text === 'string' && text.trim() && !LONE.test(text)) target = new URL(text, location.href);
  } catch {
    // It is said below.
  }
  if (!target) throw badArgument(field, url, 'the text of a URL, or a URL');
  const { protocol, hostname } = target;
  if (protocol !== 'https:' && protocol !== 'http:') throw new LonghaulError({ code: 'unsupported-scheme', detail: protocol });
  if (target.username || target.password) throw refusal(field, 'contains a user name or password. Use headers or credentials.');
  if (protocol === 'http:' && location.protocol === 'https:' && !LOOPBACK.test(hostname)) {
    throw new LonghaulError({ code: 'mixed-content', detail: target.origin });
  }
  target.hash = '';
  return { url: target.href, host: target.host, origin: target.origin };
}

/** The headers as pairs; a later list's replace an earlier one's of the same name. */
export function parseHeaders(...lists: (HeadersInit | undefined)[]): HeaderPair[] {
  const all = new Headers();
  try {
    for (const list of lists) new Headers(list).forEach((value, name) => all.set(name, value));
  } catch (error) {
    throw refusal('headers', `cannot be sent. ${error}`);
  }
  for (const name of all.keys()) if (RESERVED.test(name)) throw refusal('headers', `${name} is set by the browser or by longhaul. Leave it out.`);
  return [...all];
}

/** Whether a header of this name is no secret. Such headers need no preflight either. */
export const isHarmless = (name: string): boolean => HARMLESS.test(name);

/** Divides headers into those that may be stored and those that must not. */
export function divideHeaders(pairs: HeaderPair[], persist: boolean): { headers: HeaderPair[]; secrets: HeaderPair[] } {
  const isOpen = ([name]: HeaderPair) => persist || isHarmless(name);
  return { headers: pairs.filter(isOpen), secrets: pairs.filter((pair) => !isOpen(pair)) };
}
