// Numbers, times and names in words for people.

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** 12 B · 340 kB · 12.4 MB · 1.25 GB · 340 GB */
export function formatBytes(bytes) {
  let unit = 0;
  while (bytes >= 999.95 && unit < UNITS.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes.toFixed(bytes < 100 ? Math.max(0, unit - 1) : 0)} ${UNITS[unit]}`;
}

/** 8 s · 3 min 20 s · 2 h 5 min */
export function formatDuration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** The time of day, with the date if it is not today. */
export function formatTime(epochMs) {
  const time = new Date(epochMs);
  const today = time.toDateString() === new Date().toDateString();
  return today ? time.toLocaleTimeString() : time.toLocaleString();
}

/** The last part of a URL's path, as a file name. */
export function fileName(url) {
  const { pathname, host } = new URL(url);
  const last = pathname.split('/').findLast(Boolean) ?? host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** An id for a new task that still tells its file's name when the task is long gone: `sample.bin~1f3a9c`. */
export function newTaskId(url) {
  return `${fileName(url)}~${crypto.randomUUID().slice(0, 6)}`;
}

/** The file's name in such an id. */
export function nameInTaskId(id) {
  return id.replace(/~[^~]*$/, '');
}
