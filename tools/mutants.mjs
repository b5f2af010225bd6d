// `npm run mutants`: makes one deliberate mistake after the other in a copy of the sources and runs the simulator on
// it. Every mistake must make it fail; one that survives is a hole in the simulator.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { main, root } from './setup.mjs';

const SEEDS = 2_000;

/** What is got wrong, where, and how: `find` must stand in the file once. */
const mistakes = [
  {
    what: 'the checkpoint is committed without its chunk',
    file: 'src/engine/transfer.rs',
    find: 'Change::Append { body: progress.body, offset: buffer.offset, len: buffer.len, buffer: buffer.id },',
    replace: '',
  },
  {
    what: 'the chunk is committed without its checkpoint',
    file: 'src/engine/transfer.rs',
    find: 'buffer: buffer.id },\n            Change::PutProgress(key.clone(), progress.clone()),',
    replace: 'buffer: buffer.id },',
  },
  {
    what: 'a changed validator is taken for the same version',
    file: 'src/engine/http/validator.rs',
    find: '(Some(kept_etag), Some(etag)) if is_strong_tag(kept_etag) => kept_etag == etag,',
    replace: '(Some(kept_etag), Some(_)) if is_strong_tag(kept_etag) => true,',
  },
  {
    what: 'a weak validator counts as a strong one',
    file: 'src/engine/http/validator.rs',
    find: "etag.len() >= 2 && etag.starts_with('\"') && etag.ends_with('\"')",
    replace: 'etag.len() >= 2',
  },
  {
    what: 'a partial answer is not held against the start that was asked for',
    file: 'src/engine/http/partial.rs',
    find: 'if range.start == asked.start =>',
    replace: 'if range.start > 0 || asked.start == 0 =>',
  },
  {
    what: 'a short body counts as complete',
    file: 'src/engine/download.rs',
    find: 'self.ended == Some(Ended::Eof) && whole',
    replace: 'self.ended == Some(Ended::Eof) && (whole || self.next_offset > 0)',
  },
  {
    what: 'bytes beyond the announced end are kept',
    file: 'src/engine/download.rs',
    find: 'if limit.is_some_and(|limit| self.next_offset + len > limit) {',
    replace: 'if limit.is_some_and(|limit| self.next_offset > limit) {',
  },
  {
    what: 'an acknowledgement deletes one event too many',
    file: 'src/engine/delivery.rs',
    find: 'let change = Change::DeleteEvents { session: id.clone(), through };',
    replace: 'let change = Change::DeleteEvents { session: id.clone(), through: through + 1 };',
  },
  {
    what: 'a delivered event counts as acknowledged',
    file: 'src/engine/delivery.rs',
    find: 'delegate.sent = last.seq;',
    replace: 'delegate.sent = last.seq;\n            session.outbox.ack(last.seq);',
  },
  {
    what: 'an event overtakes one whose commit is not answered',
    file: 'src/engine/outbox.rs',
    find: 'event.seq > self.acked && event.seq < gate',
    replace: 'event.seq > self.acked && (event.seq < gate || gate > 0)',
  },
  {
    what: 'a call that is sent twice is carried out twice',
    file: 'src/engine/calls.rs',
    find: '_ if task.record.spec.call_token == spec.call_token => None,',
    replace: '_ if task.record.spec.call_token == spec.call_token && spec.url.is_empty() => None,',
  },
  {
    what: 'an old epoch may still write',
    file: 'src/store/memory.rs',
    find: 'if data.epoch != epoch {',
    replace: 'if data.epoch < epoch {',
  },
  {
    what: 'a restart keeps the old body',
    file: 'src/engine/transfer.rs',
    find: 'task.progress = task.progress.restarted(BodyId(self.random.next_wide()));',
    replace: 'task.progress = task.progress.restarted(old);',
  },
  {
    what: 'a replaced body is never swept',
    file: 'src/engine/calls.rs',
    find: 'changes.extend(old_body.map(Change::KillBody));',
    replace: 'let _ = &mut changes;',
  },
  {
    what: 'the first gap is one byte late',
    file: 'src/engine/range_set.rs',
    find: 'Some(range) if range.start == 0 => range.end,',
    replace: 'Some(range) if range.start == 0 => range.end + 1,',
  },
  {
    what: 'every wake is held until the work is done',
    file: 'src/engine/wake.rs',
    find: 'let needed = usize::from(working);',
    replace: 'let needed = if working { usize::MAX } else { 0 };',
  },
  {
    what: 'a commit with a lost answer counts as failed',
    file: 'src/engine/commits.rs',
    find: 'self.load_task(key);',
    replace: 'if let Some(slot) = self.slots.get_mut(key) {\n                    slot.busy = false;\n                }',
  },
];

function copySources(to) {
  for (const name of ['Cargo.toml', 'Cargo.lock', 'src', 'tests']) fs.cpSync(path.join(root, name), path.join(to, name), { recursive: true });
}

/** Runs the simulator; returns the last line that it printed. */
function simulate(cwd, target) {
  const args = ['test', '--quiet', '--profile', 'sim', '--test', 'sim', '--', '--seeds', String(SEEDS)];
  const env = { ...process.env, CARGO_TARGET_DIR: target };
  const { status, stdout, stderr } = spawnSync('cargo', args, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28 });
  const ran = /^\d+ passed, \d+ failed$/m.exec(stdout);
  if (!ran) throw new Error(`the simulator did not run to its end:\n${stderr.slice(-2000)}`);
  return { caught: status !== 0, summary: ran[0] };
}

await main(() => {
  const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'longhaul-mutants-'));
  const target = path.join(root, 'target/mutants');
  let survivors = 0;
  try {
    copySources(copy);
    const { caught, summary } = simulate(copy, target);
    if (caught) throw new Error(`the simulator fails without any mistake: ${summary}`);
    for (const { what, file, find, replace } of mistakes) {
      const at = path.join(copy, file);
      const original = fs.readFileSync(at, 'utf8');
      if (original.split(find).length !== 2) throw new Error(`${file} has changed: the place for "${what}" is not there exactly once`);
      fs.writeFileSync(at, original.replace(find, () => replace));
      const { caught, summary } = simulate(copy, target);
      fs.writeFileSync(at, original);
      console.log(`${caught ? '✔ caught  ' : '✖ survived'} ${what} (${summary})`);
      if (!caught) survivors += 1;
    }
  } finally {
    fs.rmSync(copy, { recursive: true });
  }
  console.log(`${mistakes.length - survivors} passed, ${survivors} failed`);
  if (survivors) process.exitCode = 1;
});
