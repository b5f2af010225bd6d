// A worker that notes when it asks servers for something, since browsers repeat requests by themselves; asked with the message
// 'fetches', it tells the times. With `?speed=` its clock runs faster, so that pauses of minutes end in seconds.
const speed = Number(new URL(location).searchParams.get('speed') ?? 1);
const [elapsed, wall, later, ask] = [performance.now.bind(performance), Date.now, self.setTimeout.bind(self), self.fetch.bind(self)];
const start = wall();
performance.now = () => elapsed() * speed;
Date.now = () => start + (wall() - start) * speed;
self.setTimeout = (call, ms, ...args) => later(call, ms / speed, ...args);

const fetches = [];
self.fetch = (url, init) => {
  if (String(url).includes('/f/') && init?.method !== 'HEAD') fetches.push(wall());
  return ask(url, init);
};
addEventListener('message', ({ data, ports: [port] }) => data === 'fetches' && port.postMessage(fetches));

importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
