// A worker that counts how many bodies it has had the browser hand over as a whole. Asked with the message 'wholes', it
// says how many since it was started.
let wholes = 0;
for (const how of ['blob', 'arrayBuffer']) {
  const original = Response.prototype[how];
  Response.prototype[how] = function () {
    // The component itself comes whole, too.
    if (this.status === 206) wholes += 1;
    return original.call(this);
  };
}
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
addEventListener('message', ({ data, ports }) => data === 'wholes' && ports[0].postMessage(wholes));
