// What can be done with a file: look at it, listen to it, also while it is still coming; keep it, check it.
import { fileName } from './format.js';

const VIEWERS = { audio: 'audio', video: 'video', image: 'img' };

/** The element that can show this type of content, if one can. Anything else is never opened in this origin. */
export function viewerFor(contentType = '') {
  return VIEWERS[contentType.split('/')[0]];
}

/** Shows the file inside `place`, also while it is still being downloaded; returns what closes it again. */
export async function view(task, place) {
  // On a first visit the worker does not answer this page yet: then only a finished file can be shown.
  const url = await task.file().servedUrl({ otherwise: 'blob' });
  const viewer = document.createElement(viewerFor(task.contentType));
  viewer.src = url;
  if (viewer instanceof HTMLMediaElement) viewer.controls = true;
  else viewer.alt = fileName(task.url);
  place.replaceChildren(viewer);
  return () => {
    place.replaceChildren();
    if (url.startsWith('blob:')) URL.revokeObjectURL(url);
  };
}

/** Hands the file to the browser as an ordinary download. */
export async function save(task) {
  try {
    await task.file().saveAs(fileName(task.url));
  } catch (error) {
    if (error.code !== 'not-controlled') throw error;
    const url = URL.createObjectURL(await task.file().blob());
    Object.assign(document.createElement('a'), { href: url, download: fileName(task.url) }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

/** The file's SHA-256, in hexadecimal digits. */
export async function sha256(task) {
  const blob = await task.file().blob();
  const digest = await crypto.subtle.digest('SHA-256', await blob.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** What the sample origin says the SHA-256 is; undefined for files from elsewhere, and offline. */
export async function publishedSha256(task) {
  const url = new URL(task.url);
  if (!url.href.startsWith(new URL('./sample/', document.baseURI).href)) return undefined;
  url.pathname += '.sha256';
  const response = await fetch(url).catch(() => undefined);
  return response?.ok ? (await response.text()).split(' ')[0] : undefined;
}
