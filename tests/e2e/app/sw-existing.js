// An app's worker from before longhaul. What the next deploy brings is in a file of the package.
importScripts('/longhaul/next-deploy.js');
addEventListener('message', ({ data }) => data === 'skip' && skipWaiting());
