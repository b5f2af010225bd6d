// The row of the map: many small files that are one thing to the user, with one set of counts and one event.
const GROUP = 'map';
const TILES = 200;
const TILE_BYTES = 15_000;

const find = (selector) => document.querySelector(selector);

function* tiles() {
  for (let tile = 0; tile < TILES; tile++) {
    yield { url: new URL(`./sample/tile-${tile}.bin?size=${TILE_BYTES}`, location.href) };
  }
}

function describe({ active, paused, failed, cancelled, completed, total }) {
  const others = { active, paused, failed, cancelled };
  const parts = Object.entries(others).filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`);
  return [`${completed} of ${total} tiles`, ...parts].join(' · ');
}

/** Shows the group of tiles, if there is one, and joins its buttons to it. `fail` is told of calls that went wrong. */
export async function createMapRow(session, fail) {
  const row = find('#map');

  function show(group) {
    const { active, paused, failed, completed, total } = group.counts;
    row.hidden = total === 0;
    row.dataset.state = active + paused > 0 ? 'running' : 'completed';
    find('#map-progress').max = total || 1;
    find('#map-progress').value = completed;
    find('#map-counts').textContent = describe(group.counts);
    const isUseful = { pause: active > 0, resume: paused + failed > 0, cancel: active + paused > 0, release: active + paused === 0 };
    for (const button of row.querySelectorAll('button')) button.hidden = !isUseful[button.dataset.group];
  }

  const perform = async (action) => show(await action());
  find('#tiles').addEventListener('click', () => perform(() => session.downloadAll(tiles(), { group: GROUP })).catch(fail));
  row.addEventListener('click', ({ target }) => {
    const { group: action } = target.dataset;
    if (!action) return;
    perform(async () => {
      const group = await session.group(GROUP);
      await group[action]();
      return group.refresh();
    }).catch(fail);
  });
  session.addEventListener('group', ({ detail }) => detail.id === GROUP && show(detail));
  show(await session.group(GROUP));
}
