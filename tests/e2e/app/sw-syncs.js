// The worker that files what has come by itself. It says of each sync event that it came, and how many bytes were stored
// of the one file that there is when it did.
importScripts('/sw-files.js');

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

async function storedBytes() {
  const database = await settled(indexedDB.open(`longhaul:${registration.scope}`));
  const chunks = await settled(database.transaction('chunks').objectStore('chunks').getAll());
  database.close();
  return chunks.reduce((sum, chunk) => sum + (chunk.size ?? chunk.byteLength), 0);
}

addEventListener('sync', async ({ tag, lastChance }) => say(`sync-${tag}-${await storedBytes()}-${lastChance}`));
