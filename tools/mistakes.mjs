// Deliberate mistakes for `npm run mutants`: what is got wrong, where, and how. `find` must stand in the file once.
const engine = (file, what, find, replace) => ({ what, file: `src/engine/${file}.rs`, find, replace });

export const mistakes = [
  // Ranges and segments
  engine('range_set', 'the first gap is one byte late', 'Some(range) if range.start == 0 => range.end,', 'Some(range) if range.start == 0 => range.end + 1,'),
  engine('range_set', 'a removed range keeps its last byte', 'self.0.extend(Some(range.end..part.end)', 'self.0.extend(Some(range.end - 1..part.end)'),
  engine('plan', 'a new segment begins one byte before the old one ends', 'Some(at..end)', 'Some(at - 1..end)'),
  engine('plan', 'the donor does not know that its tail is gone', 'slowest.end = at;', 'slowest.end = end;'),
  engine('attempt', 'what is being read can be given away', 'reading.next_offset + reading.read.map_or(0, |(_, up_to_bytes)| up_to_bytes)', 'reading.next_offset'),
  engine('attempt', 'a segment reads on into the next one', '(Some(segment), Some(body)) => Some(segment.min(body)),', '(Some(segment), Some(body)) => Some(segment.max(body)),'),
  engine('transfer', 'a segment is asked for without its end', 'let range = (!progress.without_range).then_some((start, end));', 'let range = (!progress.without_range).then_some((start, end.filter(|_| start == 0)));'),
  engine('transfer', 'bytes on their way to storage are planned again', 'slot.staged.iter().for_each(|range| taken.insert(range.clone()));', ''),
  engine('transfer', 'a mirror need not show how long its file is', '.filter(|_| !is_last && !must_tell_length)', '.filter(|_| !is_last)'),
  // What an answer means
  { what: 'the length of a mirror is taken from what is kept', file: 'src/engine/http/mirror.rs', find: 'asked.kept.filter(|_| is_proven)', replace: 'asked.kept' },
  { what: 'a changed validator is taken for the same version', file: 'src/engine/http/validator.rs', find: 'kept_etag == etag', replace: 'kept_etag.len() == etag.len()' },
  { what: 'a weak validator counts as a strong one', file: 'src/engine/http/validator.rs', find: "etag.len() >= 2 && etag.starts_with('\"') && etag.ends_with('\"')", replace: 'etag.len() >= 2' },
  { what: 'a partial answer is not held against the start that was asked for', file: 'src/engine/http/partial.rs', find: 'if range.start == asked.start =>', replace: 'if range.start > 0 || asked.start == 0 =>' },
  { what: 'a coded range counts as bytes of the file', file: 'src/engine/http/partial.rs', find: 'if is_multipart(head) || is_coded(head) {', replace: 'if is_multipart(head) {' },
  { what: 'a 416 is taken for the end of the file', file: 'src/engine/http/partial.rs', find: 'Some(length) if asked.kept.is_some() && kept_length != Some(length) => changed(),', replace: '' },
  engine('attempt', 'a short body counts as whole', 'Some(Ended::Eof) => self.body_end.is_none_or(|end| end == self.next_offset),', 'Some(Ended::Eof) => true,'),
  engine('attempt', 'bytes beyond the announced end are kept', 'if self.end.is_some_and(|limit| self.next_offset + len > limit) {', 'if self.end.is_some_and(|limit| self.next_offset > limit) {'),
  engine('heads', 'a mirror is not compared with what is kept', 'if kept.is_some() { source } else { http::Source::Origin }', 'http::Source::Proven'),
  engine('heads', 'a mirror that serves something else is asked again', 'task.progress.bad_sources |= 1 << source;', ''),
  engine('heads', 'strong-only is not applied', 'let representation = representation.demand_strong();', ''),
  engine('checkpoint', 'a segment that gave way completes a file of unknown length', 'task.progress.representation.as_mut().filter(|_| ended == Ended::Eof);', 'task.progress.representation.as_mut();'),
  // Commits
  engine('checkpoint', 'the checkpoint is committed without its chunks', 'changes.push(Change::Append { body, offset, len, buffer: buffer.id });', 'let _ = (body, offset, len);'),
  engine('checkpoint', 'the chunks are committed without their checkpoint', '                changes.push(Change::PutProgress(key.clone(), task.progress.clone()));\n                self.commit_transfer(key, task, None, changes);\n            }\n        }\n    }', '                self.commit_transfer(key, task, None, changes);\n            }\n        }\n    }'),
  engine('ending', 'a restart keeps the old body', '*progress = progress.restarted(BodyId(self.random.next_wide()));', '*progress = progress.restarted(old);'),
  engine('commits', 'a commit with a lost answer counts as failed', 'self.load_task(key);', 'if let Some(slot) = self.slots.get_mut(key) {\n                    slot.busy = false;\n                }'),
  engine('verbs', 'a replaced body is never swept', 'let killed = bodies(&task).into_iter().map(Change::KillBody).collect();', 'let killed = Vec::new();'),
  engine('ending', 'a refreshed file does not take the place of the old one', 'changes.extend(task.progress.previous.take().map(|previous| Change::KillBody(previous.body)));', ''),
  { what: 'an old epoch may still write', file: 'src/store/memory.rs', find: 'if data.epoch != epoch {', replace: 'if data.epoch < epoch {' },
  // Events
  engine('delivery', 'an acknowledgement deletes one event too many', 'let change = Change::DeleteEvents { session: id.clone(), through };', 'let change = Change::DeleteEvents { session: id.clone(), through: through + 1 };'),
  engine('delivery', 'a delivered event counts as acknowledged', 'delegate.sent = last.seq;', 'delegate.sent = last.seq;\n            session.outbox.ack(last.seq);'),
  engine('outbox', 'an event overtakes one whose commit is not answered', 'event.seq > self.acked && event.seq < gate', 'event.seq > self.acked && (event.seq < gate || gate > 0)'),
  engine('groups', 'a group ends when nothing of it is active, paused members or not', 'counts.filter(|counts| is_open && counts.have_all_ended())', 'counts.filter(|counts| is_open && counts.active == 0)'),
  engine('groups', 'a group is done before its members are named', 'let is_open = group.record.is_sealed && !group.record.is_done', 'let is_open = !group.record.is_done'),
  // Hashes
  engine('hashing', 'a digest that does not match is let through', '(Some(expected), Some(digest)) if !expected.matches(&digest) => self.mismatch(key, task, changes),', ''),
  engine('hashing', 'a bad piece stays where it is', 'progress.received.remove(piece.clone());', ''),
  engine('attempt', 'a hash that was given up is taken up again', 'self.hash = self.hash.take().and(hash);', 'self.hash = hash;'),
  engine('ending', 'what was hashed of the old body counts for the new one', 'if let Some(hashing) = slot.hashing.take() {', 'if let Some(hashing) = slot.hashing.take().filter(|_| false) {'),
  { what: 'a stored hash state forgets its last block', file: 'src/integrity/hash.rs', find: 'bytes.extend_from_slice(&self.pending);', replace: '' },
  // Many at a time
  engine('calls', 'a bulk call hits what has taken the place of the task that it meant', 'if self.is_named(key, asker, &token) => ', '=> '),
  engine('groups', 'a kill keeps a group from failing together', 'self.fail_group_again(&key);', ''),
  engine('sweep', 'bytes that resume data has just taken up are swept', '.filter(|dead| !self.taken_up.contains(&dead.body))', ''),
  engine('backlog', 'what is let go is what would be loaded again at once', 'of_lane > RESIDENT_PER_LANE as usize', 'of_lane > 0'),
  // Authorisation
  engine('transfer', 'headers are told to mirrors', 'filter(|_| is_home)', 'filter(|_| is_home || source > 0)'),
  engine('authorize', 'headers follow a task to another origin', 'spec.request.headers.clear();', ''),
  engine('verbs', 'a call that is sent again tells its headers to the origin that the task has moved to', 'is_missing && task.record.spec.origin() == spec.origin() && ', 'is_missing && '),
  engine('authorize', 'secrets are used whatever origin the task has by now', 'given.origin == spec.origin() && given.call_token', 'given.call_token'),
  engine('transfer', 'a task without its secrets tries all the same', 'if task.record.spec.request.has_secrets && self.secrets_of(&task.record).is_empty() {', 'if task.record.spec.request.has_secrets && source > 99 {'),
  engine('calls', 'a task that nobody could authorise is accepted', 'if !secrets.is_empty() && !self.can_ask(&key.session) =>', 'if secrets.len() > 99 && !self.can_ask(&key.session) =>'),
  // Turns, waits and wakes
  engine('schedule', 'one connection too many for a host', '.unwrap_or(0) >= per_host {', '.unwrap_or(0) > per_host {'),
  engine('policy', 'an unknown network counts as unmetered', 'needs.0 & Needs::KNOWN != 0 && metered.is_none()', 'needs.0 & Needs::KNOWN != 0 && metered == Some(true)'),
  engine('pace', 'a bandwidth limit is half of what it says', 'bytes.saturating_mul(1_000).div_ceil', 'bytes.saturating_mul(500).div_ceil'),
  engine('backlog', 'what leaves memory is not noted as being in storage', 'session.backlog.note(task.record.lane());', ''),
  engine('wake', 'every wake is held until the work is done', 'let needed = usize::from(working);', 'let needed = if working { usize::MAX } else { 0 };'),
  engine('task', 'news end the wait that a server asked for', 'Self::ServerAsked | Self::EarliestBegin', 'Self::EarliestBegin'),
  engine('verbs', 'a call that is sent twice is carried out twice', 'let is_same_call = task.record.spec.call_token == spec.call_token;\n        let refusal', 'let is_same_call = task.record.spec.call_token == spec.call_token && spec.sources.is_empty();\n        let refusal'),
  engine('resume_data', 'damaged resume data is believed', 'if checksum(signed) != sum {', 'if checksum(signed).is_empty() {'),
];
