// The list of tasks: one row for each id, made once; progress changes numbers only.
import { publishedSha256, save, sha256, view, viewerFor } from './files.js';
import { fileName, formatBytes, formatDuration, formatTime } from './format.js';

const ACTIONS = {
  pending: ['pause', 'cancel'],
  running: ['open', 'pause', 'cancel'],
  waiting: ['resume', 'pause', 'cancel'],
  paused: ['resume', 'cancel'],
  completed: ['open', 'digest', 'remove'],
  failed: ['resume', 'remove'],
  cancelled: ['again', 'remove'],
};
/** Why a task is not moving, and what went wrong last, for people. */
async function explain(task) {
  if (task.state === 'failed') return task.error.message;
  const { sentence = '', until } = (await task.explain()) ?? {};
  return until ? `${sentence} It tries at ${formatTime(until)}.` : sentence;
}

class Row {
  constructor(id) {
    const { content } = document.querySelector('#task-template');
    this.element = content.firstElementChild.cloneNode(true);
    this.element.dataset.taskId = id;
    const all = (selector) => [...this.element.querySelectorAll(selector)];
    this.parts = Object.fromEntries(all('[data-part]').map((part) => [part.dataset.part, part]));
    this.buttons = all('button');
  }

  show(task) {
    const { parts } = this;
    const { state, createdAt } = task.snapshot;
    const name = fileName(task.url);
    this.task = task;
    this.element.dataset.state = state;
    this.element.dataset.createdAt = createdAt;
    parts.name.textContent = name;
    parts.about.textContent = [new URL(task.url).host, task.description].filter(Boolean).join(' · ');
    parts.progress.setAttribute('aria-label', name);
    parts.state.textContent = state;
    this.#showNote();
    if (state !== 'completed') this.close();
    this.#showActions(name);
    this.#showBytes(task);
  }

  /** Takes live figures; those that come after a change of state are late and say nothing new. */
  progress(figures) {
    if (this.task.state === 'running') this.#showBytes(figures);
  }

  /** Closes what was opened and checked: the file is not there (any more). */
  close() {
    this.#toggleViewer(undefined);
    this.parts.digest.replaceChildren();
  }

  perform(action, session) {
    const { task } = this;
    if (action === 'open') return this.#open();
    if (action === 'digest') return this.#checkDigest();
    if (action === 'remove') return task.release();
    if (action !== 'again') return task[action]();
    return session.download(task.url, { id: task.id, ifExists: 'replace', description: task.description });
  }

  async #showNote() {
    const { note } = this.parts;
    if (!['failed', 'pending', 'waiting'].includes(this.task.state)) return (note.textContent = '');
    const { state } = this.task;
    // The answer may be late: then the task has moved on, and there is nothing to explain, or it is gone.
    const text = await explain(this.task).catch(() => '');
    if (text && state === this.element.dataset.state) note.textContent = text;
  }

  #showActions(name) {
    const { state, contentType } = this.task;
    const focused = this.buttons.find((button) => button === document.activeElement);
    for (const button of this.buttons) {
      const { action } = button.dataset;
      // What is still coming can be shown, but not saved from here.
      const isEarly = action === 'open' && state === 'running' && !viewerFor(contentType);
      button.hidden = isEarly || !ACTIONS[state].includes(action);
      if (action === 'open') button.textContent = viewerFor(contentType) ? 'Open' : 'Save';
      if (action === 'resume') button.textContent = state === 'paused' ? 'Resume' : 'Try now';
      button.setAttribute('aria-label', `${button.textContent} ${name}`);
    }
    // A button that vanishes under the keyboard hands its focus to the next one.
    if (focused?.hidden) this.buttons.find((button) => !button.hidden).focus();
  }

  #showBytes({ receivedBytes, completeLength, bytesPerSecond }) {
    const { progress, amount, pace, percent } = this.parts;
    const completed = this.task.state === 'completed';
    if (completeLength === undefined && !completed) {
      progress.removeAttribute('value');
      percent.textContent = '';
    } else {
      const share = completed || completeLength === 0 ? 1 : receivedBytes / completeLength;
      progress.max = completeLength || receivedBytes || 1;
      progress.value = share * progress.max;
      percent.textContent = `${Math.floor(100 * share)} %`;
    }
    const total = completeLength === undefined || completed ? '' : ` of ${formatBytes(completeLength)}`;
    amount.textContent = formatBytes(receivedBytes) + total;
    const left = bytesPerSecond > 0 && (completeLength - receivedBytes) / bytesPerSecond;
    const { segments } = this.task;
    pace.textContent = [
      segments > 1 && `${segments} segments`,
      bytesPerSecond > 0 && `${formatBytes(bytesPerSecond)}/s`,
      left > 0 && `${formatDuration(left)} left`,
    ].filter(Boolean).join(' · ');
  }

  async #open() {
    if (!viewerFor(this.task.contentType)) return save(this.task);
    return this.#toggleViewer(this.closeViewer ? undefined : await view(this.task, this.parts.viewer));
  }

  #toggleViewer(close) {
    this.closeViewer?.();
    this.closeViewer = close;
    const button = this.buttons.find(({ dataset }) => dataset.action === 'open');
    button.setAttribute('aria-expanded', Boolean(close));
  }

  async #checkDigest() {
    const { digest } = this.parts;
    const code = document.createElement('code');
    digest.textContent = 'Reading the file …';
    try {
      code.textContent = await sha256(this.task);
    } catch (error) {
      digest.replaceChildren();
      throw error;
    }
    digest.replaceChildren('SHA-256 ', code);
    const published = await publishedSha256(this.task);
    if (published) digest.append(published === code.textContent ? ' as the server says' : ' but the server says otherwise');
  }
}

/**
 * Shows a session's tasks, newest first, as they change.
 * `say` is told of changes of state, `fail` of calls that went wrong.
 */
export function createTaskList(session, { say, fail }) {
  const list = document.querySelector('#tasks');
  const rows = new Map();

  function show(task) {
    // Members of a group are shown together.
    if (task.snapshot.group) return;
    const row = rows.get(task.id) ?? new Row(task.id);
    const before = row.task && row.element.dataset.state;
    row.show(task);
    if (before && before !== task.state) say(`${fileName(task.url)}: ${task.state}`);
    if (rows.has(task.id)) return;
    rows.set(task.id, row);
    const { createdAt } = task.snapshot;
    const older = [...list.children].find(({ dataset }) => Number(dataset.createdAt) < createdAt);
    list.insertBefore(row.element, older ?? null);
  }

  function remove(id) {
    rows.get(id)?.close();
    rows.get(id)?.element.remove();
    rows.delete(id);
  }

  list.addEventListener('click', async ({ target }) => {
    const { action } = target.dataset;
    if (!action) return;
    const row = rows.get(target.closest('[data-task-id]').dataset.taskId);
    try {
      const task = await row.perform(action, session);
      if (task) show(task);
    } catch (error) {
      fail(error);
    }
  });
  session.addEventListener('task', ({ detail }) => show(detail));
  session.addEventListener('released', ({ detail }) => remove(detail));
  session.addEventListener('progress', ({ detail }) => detail.forEach((figures) => rows.get(figures.id)?.progress(figures)));

  return { show };
}
