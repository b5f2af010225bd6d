// `npm start`: sets up, builds, takes the tour where a browser is installed, and serves the demo.
// `npm start -- --tour-only` ends after the tour; its last line is one JSON object.
import { build } from './build.mjs';
import { startDemoServer } from './serve.mjs';
import { findChromium, main, setup } from './setup.mjs';

await main(async () => {
  const tourOnly = process.argv.includes('--tour-only');
  await build(await setup({ browser: true }));
  const server = await startDemoServer({ port: tourOnly ? 0 : Number(process.env.PORT ?? 8080) });
  try {
    if (findChromium()) {
      const { runTour } = await import('./tour.mjs');
      const figures = await runTour(server);
      if (tourOnly) return console.log(JSON.stringify(figures));
    } else if (tourOnly) {
      throw new Error('The tour needs Chromium or Chrome: install one, or name it in CHROME_PATH.');
    }
  } catch (error) {
    if (!tourOnly) await server.close();
    throw error;
  } finally {
    if (tourOnly) await server.close();
  }
  console.log(`\nThe demo is at http://localhost:${server.port}/  (end with Ctrl+C)`);
});
