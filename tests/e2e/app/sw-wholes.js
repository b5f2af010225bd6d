// A worker that counts how many bodies it has had the browser hand over as a whole. Asked with the message 'wholes', it
// says how many since it was started.
let wholes = 0;
const { blob } = Response.prototype;
Response.prototype.blob = function () {
  wholes += 1;
  return blob.call(this);
};
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
addEventListener('message', ({ data, ports }) => data === 'wholes' && ports[0].postMessage(wholes));
