// Remembers when no page of this app was open, so that what happened meanwhile can be told apart.
// Only the demo needs this: longhaul itself replays missed events without being told who was there.

const ALIVE_KEY = 'demo-alive-at';
const ABSENCES_KEY = 'demo-absences';
const LOCK = 'demo-page-open';
const KEPT_ABSENCES = 50;

const beat = () => localStorage.setItem(ALIVE_KEY, Date.now());

/** Notes the absence that ends now, if any, and from here on that a page is open. */
export async function startPresence() {
  const { held } = await navigator.locks.query();
  const aliveAt = Number(localStorage.getItem(ALIVE_KEY));
  const absences = JSON.parse(localStorage.getItem(ABSENCES_KEY) ?? '[]');
  const latest = aliveAt && !held.some(({ name }) => name === LOCK) ? { from: aliveAt, until: Date.now() } : undefined;
  if (latest) {
    absences.push(latest);
    localStorage.setItem(ABSENCES_KEY, JSON.stringify(absences.slice(-KEPT_ABSENCES)));
  }

  navigator.locks.request(LOCK, { mode: 'shared' }, () => new Promise(() => {}));
  beat();
  setInterval(beat, 1000);
  addEventListener('pagehide', beat);

  const within = (at) => (absence) => at > absence.from && at < absence.until;
  return {
    /** Whether no page was open at that time. */
    wasAway: (at) => absences.some(within(at)),
    /** Whether that was between the visit before and this one. */
    wasJustAway: (at) => latest !== undefined && within(at)(latest),
  };
}
