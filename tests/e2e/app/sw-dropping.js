// A worker whose connections to its database are lost at a page's word, as WebKit loses them: what is under way is aborted,
// and the browser may say so (`drop`) or not (`drop-silently`).
importScripts('/longhaul/service-worker.classic.js', '/quiet.js');

const connections = new Set();
const transactions = new Set();

const { open } = IDBFactory.prototype;
IDBFactory.prototype.open = function (...args) {
  const request = open.apply(this, args);
  request.addEventListener('success', () => connections.add(request.result));
  return request;
};

const { transaction } = IDBDatabase.prototype;
IDBDatabase.prototype.transaction = function (...args) {
  const begun = transaction.apply(this, args);
  transactions.add(begun);
  for (const end of ['complete', 'abort']) begun.addEventListener(end, () => transactions.delete(begun));
  return begun;
};

addEventListener('message', ({ data, ports }) => {
  if (data !== 'drop' && data !== 'drop-silently') return;
  const lost = [...connections];
  connections.clear();
  for (const begun of transactions) {
    try {
      begun.abort();
    } catch {
      // It is being committed, or over.
    }
  }
  for (const connection of lost) {
    connection.close();
    if (data === 'drop') connection.dispatchEvent(new Event('close'));
  }
  ports[0].postMessage(lost.length);
});

longhaul.attach(self, { wasm: '/longhaul/longhaul.wasm', ...quiet });
