// The process that renders a page. CDP tells it only in a trace, so a very short one is recorded.

const FRAMES = 'disabled-by-default-devtools.timeline';

/** The pid of the process that renders `page`. */
export async function rendererPid(page) {
  const session = await page.createCDPSession();
  try {
    const { frameTree } = await session.send('Page.getFrameTree');
    const events = [];
    session.on('Tracing.dataCollected', ({ value }) => events.push(...value));
    const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
    await session.send('Tracing.start', { traceConfig: { includedCategories: [FRAMES] } });
    await session.send('Tracing.end');
    await complete;
    const started = events.find(({ name }) => name === 'TracingStartedInBrowser');
    return started.args.data.frames.find(({ frame }) => frame === frameTree.frame.id).processId;
  } finally {
    await session.detach();
  }
}
