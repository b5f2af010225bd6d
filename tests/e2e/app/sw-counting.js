// A worker that counts how many stored bytes are read back into it, which only hashing does. Asked with the message
// 'read-back', it says how many since it was started.
let readBack = 0;
const { arrayBuffer } = Blob.prototype;
Blob.prototype.arrayBuffer = function () {
  readBack += this.size;
  return arrayBuffer.call(this);
};
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
addEventListener('message', ({ data, ports }) => data === 'read-back' && ports[0].postMessage(readBack));
