// `npm run chaos [-- --browser chromium|firefox|webkit] [--kills 20] [--seed S] [--hold SECONDS]`: downloads while pages,
// workers, renderers and the browser are killed at random moments, and another connection holds storage for so long in
// between. Takes its time, so it is a command of its own.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { browserNames, main, setup, whyNotHere } from './setup.mjs';

await main(async () => {
  const options = { browser: { type: 'string', default: 'chromium' }, kills: { type: 'string', default: '20' }, seed: { type: 'string' }, hold: { type: 'string', default: '0' } };
  const { browser, kills, seed, hold } = parseArgs({ options }).values;
  if (!browserNames.includes(browser)) throw new Error(`no browser ${browser}; there are ${browserNames.join(', ')}`);
  await build(await setup({ browsers: [browser] }));
  const reason = whyNotHere(browser);
  if (reason) throw new Error(reason);
  process.env.LONGHAUL_BROWSER = browser;
  const { chaos } = await import('../tests/e2e/chaos/chaos.mjs');
  const { newSeed } = await import('../tests/e2e/random.mjs');
  const endings = [];
  try {
    const began = performance.now();
    const drawn = Number(seed ?? newSeed());
    console.log(`seed ${drawn}`);
    const figures = await chaos((end) => endings.push(end), { kills: Number(kills), seed: drawn, holdMs: Number(hold) * 1000, tell: console.log });
    console.log(JSON.stringify({ ...figures, seconds: Math.round((performance.now() - began) / 1000) }));
  } finally {
    for (const end of endings) await end();
  }
});
