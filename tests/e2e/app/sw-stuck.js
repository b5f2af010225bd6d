// A worker that hands on the first chunk of a file, says so when it is asked for the next one, and then gets stuck.
let read = 0;
const { arrayBuffer } = Blob.prototype;
Blob.prototype.arrayBuffer = function () {
  read += 1;
  if (read === 1) return arrayBuffer.call(this);
  fetch('/said/stuck', { cache: 'no-store' }).catch(() => {});
  return new Promise(() => {});
};
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
