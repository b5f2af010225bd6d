// What can be done with a finished file: look at it, listen to it, keep it, check it.
import { fileName } from './format.js';

const VIEWERS = { audio: 'audio', video: 'video', image: 'img' };

/** The element that can show this type of content, if one can. Anything else is never opened in this origin. */
export function viewerFor(contentType = '') {
  return VIEWERS[contentType.split('/')[0]];
}

/** An object URL of the task's file, typed as the server said. */
async function objectUrl(task) {
  const blob = await task.blob();
  return URL.createObjectURL(blob.slice(0, blob.size, task.contentType));
}

/** Shows the file inside `place`; returns what closes it again. */
export async function view(task, place) {
  const url = await objectUrl(task);
  const viewer = document.createElement(viewerFor(task.contentType));
  viewer.src = url;
  if (viewer instanceof HTMLMediaElement) viewer.controls = true;
  else viewer.alt = fileName(task.url);
  place.replaceChildren(viewer);
  return () => {
    place.replaceChildren();
    URL.revokeObjectURL(url);
  };
}

/** Hands the file to the browser as an ordinary download. */
export async function save(task) {
  const url = await objectUrl(task);
  const link = document.createElement('a');
  link.href = url;
  link.download = fileName(task.url);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** The file's SHA-256, in hexadecimal digits. */
export async function sha256(task) {
  const blob = await task.blob();
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
