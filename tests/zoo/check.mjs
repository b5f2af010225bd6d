// What `npx longhaul check` says of a server's files, by each of the ways in which the zoo's browsers fetch them.
import { check } from '../check/support.mjs';

/** The run as the command meets it: undisturbed, and as many requests as it likes. */
const UNDISTURBED = { event: 'plain', at: Infinity, isCoded: false, mostRequests: Infinity };

export const checkKey = ({ file, way }) => `${file} ${way}`;

/**
 * Asks for each file in each way of the `plans`, for a page of the origin `page`; what is not from there comes from `far`.
 * Resolves with `{ verdict, reason }` by `checkKey`: what the command says that becomes of a download.
 */
export async function checkServer({ proxy, page, far, upstream, files, plans }) {
  const verdicts = new Map();
  for (const plan of plans) {
    const key = checkKey(plan);
    if (verdicts.has(key)) continue;
    const { way, file } = plan;
    const { url } = proxy.begin(way === 'own' ? page : far, { ...UNDISTURBED, way, upstream, name: files[file].name });
    const { result } = await check(url, ['--origin', page]);
    verdicts.set(key, result.page);
  }
  return verdicts;
}

/** In words what the command says otherwise than the task, if it does; a task that is not completed has no verdict. */
export function disagreement(said, { state, resumability, resumabilityReason }) {
  if (state !== 'completed' || (said.verdict === resumability && said.reason === resumabilityReason)) return [];
  return [`longhaul check says ${said.verdict} (${said.reason}), the task ${resumability} (${resumabilityReason})`];
}
