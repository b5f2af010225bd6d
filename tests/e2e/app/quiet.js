// For workers that nothing but their pages shall wake, since tests look at what is durable in between: no Background
// Sync, and no look at storage at the first fetch.
Object.defineProperty(ServiceWorkerRegistration.prototype, 'sync', { value: undefined });
const quiet = { wakeOnFetch: false };
