// The list "What happened": durable events, newest first, marked if they happened while no page was open.
import { LonghaulError } from 'longhaul';
import { formatBytes, formatTime, nameInTaskId } from './format.js';

const list = document.querySelector('#events');
const count = document.querySelector('#event-count');
const welcome = document.querySelector('#welcome');

/** What an event is about: a file or a group of them. */
const subject = ({ taskId, groupId }) => (taskId === undefined ? groupId : nameInTaskId(taskId));

/** What an event says, after its subject. */
function sentence({ type, bytes, error, reason, counts }) {
  if (type === 'completed') return `arrived, ${formatBytes(bytes)}`;
  if (type === 'group-ended') return `is there, ${counts.completed} of ${counts.total} tiles`;
  if (type === 'failed') return `failed: ${new LonghaulError(error).message}`;
  if (type === 'cancelled') return 'was cancelled';
  return `started again from the beginning${reason ? `: ${reason.replaceAll('-', ' ')}` : ''}`;
}

function element(tag, properties, ...children) {
  const created = Object.assign(document.createElement(tag), properties);
  created.append(...children);
  return created;
}

function item(event, away) {
  const time = element('time', { dateTime: new Date(event.at).toISOString() }, formatTime(event.at));
  const name = element('strong', {}, subject(event));
  const created = element('li', {}, time, element('span', {}, name, ` ${sentence(event)}`));
  Object.assign(created.dataset, { eventSeq: event.seq, eventType: event.type, away });
  if (away) created.append(element('span', { className: 'away' }, 'while no page was open'));
  return created;
}

/** Shows events of a session, each once however often it is told of. */
export function createEventLog(presence) {
  const items = new Map();

  function add(event) {
    if (items.has(event.seq)) return;
    const created = item(event, presence.wasAway(event.at));
    const older = [...items.keys()].filter((seq) => seq < event.seq);
    list.insertBefore(created, older.length ? items.get(Math.max(...older)) : null);
    items.set(event.seq, created);
    count.textContent = items.size;
  }

  /** Says what happened between the visit before and this one. */
  function greet(events) {
    const missed = events.filter(({ at }) => presence.wasJustAway(at));
    welcome.hidden = missed.length === 0;
    const sentences = missed.map((event) => `${subject(event)} ${sentence(event)}`).reverse();
    welcome.textContent = `While no page was open: ${sentences.join('; ')}`;
  }

  return { add, greet };
}
