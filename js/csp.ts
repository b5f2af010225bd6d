// What the service worker's own content security policy forbids. A fetch that it blocks fails like any other; only the
// violation event tells it apart (CSP level 3, section 5.5). It names the URL that was asked for, before redirects.

export class BlockedOrigins {
  readonly #origins = new Set<string>();

  constructor(scope: EventTarget) {
    scope.addEventListener('securitypolicyviolation', (event) => {
      const { disposition, effectiveDirective, blockedURI } = event as SecurityPolicyViolationEvent;
      const origin = disposition === 'enforce' && effectiveDirective === 'connect-src' && originOf(blockedURI);
      if (origin) this.#origins.add(origin);
    });
  }

  has(url: string): boolean {
    const origin = originOf(url);
    return origin !== undefined && this.#origins.has(origin);
  }
}

function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin;
  } catch {
    return undefined;
  }
}
