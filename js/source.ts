// URLs and headers, checked: what the browser would refuse or silently drop is refused at the call.
import { badArgument, LonghaulError } from './errors.js';
import type { HeaderPair, Source } from './protocol.js';

/** What fetch drops (Fetch, "forbidden request-header"), and what resuming has to set itself. */
const RESERVED = new RegExp(
  '^(range|if-(range|match|none-match|modified-since|unmodified-since)|accept-(charset|encoding)|access-control-request-.*' +
    '|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|proxy-.*|referer|sec-.*|set-cookie|te' +
    '|trailer|transfer-encoding|upgrade|via)$',
);
/** Headers that are no secrets. */
const HARMLESS = /^(accept|accept-language|content-language)$/;
const LOOPBACK = /^(.+\.)?localhost$|^127\.|^\[::1\]$/;

/** The URL as the browser parses it, from this page's or worker's own. */
export function parseSource(url: string | URL): Source {
  let target;
  try {
    target = new URL(url, location.href);
  } catch {
    throw badArgument('url: cannot be parsed');
  }
  const { protocol, hostname } = target;
  if (protocol !== 'https:' && protocol !== 'http:') throw new LonghaulError({ code: 'unsupported-scheme', detail: protocol });
  if (target.username || target.password) throw badArgument('url: contains a user name or password');
  if (protocol === 'http:' && location.protocol === 'https:' && !LOOPBACK.test(hostname)) {
    throw new LonghaulError({ code: 'mixed-content', detail: target.origin });
  }
  target.hash = '';
  return { url: target.href, host: target.host, origin: target.origin };
}

/** The headers as pairs; a later list's replace an earlier one's of the same name. */
export function parseHeaders(...lists: (HeadersInit | undefined)[]): HeaderPair[] {
  const all = new Headers();
  for (const list of lists) new Headers(list).forEach((value, name) => all.set(name, value));
  const pairs: HeaderPair[] = [];
  all.forEach((value, name) => {
    if (RESERVED.test(name)) throw badArgument(`headers: ${name} is set by the browser or by longhaul`);
    pairs.push([name, value]);
  });
  return pairs;
}

/** Whether a header of this name is no secret. Such headers need no preflight either. */
export const isHarmless = (name: string): boolean => HARMLESS.test(name);

/** Divides headers into those that may be stored and those that must not. */
export function divideHeaders(pairs: HeaderPair[], persist: boolean): { headers: HeaderPair[]; secrets: HeaderPair[] } {
  const isOpen = ([name]: HeaderPair) => persist || isHarmless(name);
  return { headers: pairs.filter(isOpen), secrets: pairs.filter((pair) => !isOpen(pair)) };
}
