// A film that all browsers of the tests can play: noise, so that it is as large as its bitrate says, with a key frame
// each second and its index, as web videos have it, in front. Made anew for each run, in two seconds.
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { findFfmpeg } from '../../../tools/setup.mjs';

const SECONDS = 180;
const PICTURES = `testsrc2=size=320x180:rate=10:duration=${SECONDS},noise=alls=60:allf=t`;
const CODER = '-c:v libvpx -deadline realtime -cpu-used 16 -b:v 1000k -minrate 1000k -maxrate 1000k -bufsize 200k -g 10 -threads 1';
/** The same bytes each time. */
const EXACT = '-fflags +bitexact -flags +bitexact';

/** The film's media type, as a server would tell it. */
export const FILM_TYPE = 'video/webm';

/** The film, 3 minutes and 22 MB of WebM. */
export async function makeFilm() {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'longhaul-film-'));
  try {
    const file = path.join(folder, 'film.webm');
    const how = `${CODER} -cues_to_front 1 ${EXACT}`.split(' ');
    await promisify(execFile)(findFfmpeg() ?? 'ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', PICTURES, ...how, file]);
    return await fs.readFile(file);
  } finally {
    await fs.rm(folder, { recursive: true });
  }
}

/** Puts a video of the task's file into the page, as `window.video`, and resolves when it plays. */
export async function play(page, id) {
  await page.evaluate(async (id) => {
    const task = await session.task(id);
    // Without sound it may begin by itself.
    window.video = Object.assign(document.createElement('video'), { muted: true, src: task.file().url });
    document.body.append(video);
    await video.play();
  }, id);
  await untilPlayed(page, 0);
}

/** Seeks to this part (0 to 1) of the film and resolves when it plays on from there. */
export async function seek(page, part) {
  const from = await page.evaluate((part) => (video.currentTime = part * video.duration), part);
  await untilPlayed(page, from);
}

/** Resolves when the film has played on for a while from `from`, in seconds. */
const untilPlayed = (page, from) =>
  page.waitForFunction(
    (from) => {
      if (video.error) throw new Error(`the video has failed: ${video.error.message}`);
      return !video.seeking && video.currentTime > from + 0.5 && video.currentTime < from + 30;
    },
    { polling: 50 },
    from,
  );

/** How the worker has answered the requests for files since this was asked last. */
export const answers = (page) =>
  page.evaluate(
    () =>
      new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = ({ data }) => resolve(data);
        navigator.serviceWorker.controller.postMessage('answers', [port2]);
      }),
  );
