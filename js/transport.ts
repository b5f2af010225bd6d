// Who carries a download: the worker, or, where there is Background Fetch, the browser itself. What that cannot carry is
// refused at the call.
import type { NamesOf } from './check.js';
import { LonghaulError } from './errors.js';
import type { SpecFields } from './protocol.js';
import { isHarmless } from './source.js';
import type { DownloadUi, EndUi } from './types.js';

/** What of a download's options is about its transport. */
export interface TransportOptions {
  /**
   * `background-fetch`: the browser itself fetches what is missing once the file is known, goes on with every page closed,
   * and shows it in its own list of downloads; only in Chromium, and only begun by a page, of which each further one needs a
   * gesture. `auto` takes it where it can be had. Default `fetch`.
   */
  transport?: 'auto' | 'fetch' | 'background-fetch';
  /** What the browser's own list of downloads shows. */
  downloadUi?: DownloadUi;
}

const END_UI: NamesOf<EndUi> = { title: 0, icons: 0 };

export const TRANSPORTS: NamesOf<TransportOptions> = {
  transport: 'auto fetch background-fetch',
  downloadUi: { ...END_UI, success: END_UI, failure: END_UI },
};

/** Adds the transport to a spec that `secrets` are for; `isHere`: whether a Background Fetch can be begun here. */
export function withTransport(spec: SpecFields, secrets: number, { transport = 'fetch', downloadUi }: TransportOptions, isHere: boolean): SpecFields {
  if (transport === 'fetch') return spec;
  const detail = isHere ? obstacle(spec, secrets) : 'it can only be begun by a page, in a browser that has it';
  if (detail === undefined) return { ...spec, transport, ...(downloadUi && { ui: JSON.stringify(downloadUi) }) };
  if (transport === 'auto') return spec;
  throw new LonghaulError({ code: 'background-fetch-impossible', detail });
}

/** What the browser would not carry, or carry otherwise than asked. */
function obstacle({ sources: [source, ...mirrors], headers = [], ...spec }: SpecFields, secrets: number): string | undefined {
  const isForeign = source?.origin !== location.origin;
  if (secrets > 0) return 'headers: the browser would store them; see persistHeaders';
  const isPlain = headers.every(([name]) => isHarmless(name));
  if (isForeign && !isPlain) return 'headers: they need a preflight';
  if (!isPlain && spec.redirects !== 'follow-with-headers') return 'headers: they follow redirects to other origins; see redirect';
  if (mirrors.length > 0) return 'mirrors';
  if (spec.redirects === 'error') return 'redirect: error';
  if (spec.referrerPolicy !== undefined) return 'referrerPolicy: no referrer is sent';
  if (spec.credentials === 'omit') return 'credentials: cookies are sent';
  if (spec.policy?.maxBytesPerSecond) return 'maxBytesPerSecond';
  if (spec.policy?.metered === false || spec.policy?.unknownNetwork === false) return 'metered, unknownNetwork: it runs on any network';
  return undefined;
}
