// A worker whose component crashes at every answer with an `X-Poison` header: it looks at the status, and that throws
// through the wasm what a trap would. What is left of the instance is as after a trap.
const { get } = Object.getOwnPropertyDescriptor(Response.prototype, 'status');
Object.defineProperty(Response.prototype, 'status', {
  get() {
    if (this.headers.has('X-Poison')) throw new WebAssembly.RuntimeError('unreachable');
    return get.call(this);
  },
});
importScripts('/longhaul/service-worker.classic.js');
longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm' });
