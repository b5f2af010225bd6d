// What an app does that must handle an event once, wherever it is handled: in one transaction it looks whether it knows
// the event's number, and does its work. Here the work is to count how often each event came. It takes a while before and
// after, so that it is often cut short.
{
  const settled = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const openRecords = () => {
    const request = indexedDB.open('records', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('events', { keyPath: 'seq' });
    return settled(request);
  };

  self.record = async ({ seq, type, taskId }) => {
    await fetch('/a-while', { cache: 'no-store' });
    const database = await openRecords();
    const transaction = database.transaction('events', 'readwrite');
    const events = transaction.objectStore('events');
    const known = await settled(events.get(seq));
    events.put({ seq, type, taskId, times: 1 + (known?.times ?? 0) });
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    database.close();
    await fetch('/a-while', { cache: 'no-store' });
  };

  self.recorded = async () => {
    const database = await openRecords();
    const events = await settled(database.transaction('events').objectStore('events').getAll());
    database.close();
    return events;
  };
}
