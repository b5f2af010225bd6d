//! Servers in trouble: maintenance, nodes of one site with tags of their own, and servers that send one byte for each
//! range. All of it is drawn from a stream of its own. And what must hold then: no task asks in a loop.

use std::collections::BTreeMap;

use longhaul::engine::error::TaskError;
use longhaul::engine::http::RestartReason;
use longhaul::engine::id::{BodyId, TaskKey};
use longhaul::engine::input::{Call, Input, TaskCall};
use longhaul::engine::policy::Policy;
use longhaul::engine::task::{EventKind, Task, TaskEvent};

use super::climate::Climate;
use super::model::Model;
use super::origin::{Origin, Resource, Tags};
use super::random::Random;
use super::stats::Group;
use super::text::imf_fixdate;
use super::worker::{EPOCH_MS, Worker};
use super::world::{Event, World, note};

/// How often a transfer may begin anew.
const MOST_RESTARTS: u32 = 10;
/// How many requests a task may make in a minute, and how many where each brings a byte.
/// A piece that is wrong is fetched again at once, sixteen times.
const MOST_PER_MINUTE: [u64; 2] = [200, 46];
/// How many requests a host in maintenance may meet at first, and in each minute.
const MOST_IN_VAIN: [u64; 2] = [24, 1];
/// How many more there may be for each call and wake.
const FOR_NEWS: u64 = 3;
const WEEK_MS: u64 = 7 * 24 * 3_600_000;

/// What a worker has asked for.
#[derive(Debug, Default)]
pub struct Asked {
    /// What each task has in this minute.
    by_task: BTreeMap<TaskKey, Count>,
    /// What each host in maintenance was asked.
    in_vain: BTreeMap<String, Count>,
    /// How often something came that may let it ask anew.
    news: u64,
}

/// A count of requests.
#[derive(Debug, Default)]
struct Count {
    since: u64,
    news_before: u64,
    requests: u64,
}

impl Count {
    fn new(since: u64, news_before: u64) -> Self {
        Self { since, news_before, requests: 0 }
    }

    /// One more; whether that is one too many.
    fn is_too_much(&mut self, most: u64, news: u64) -> bool {
        self.requests += 1;
        self.requests > most + FOR_NEWS * (news - self.news_before)
    }
}

impl Asked {
    /// An input that may let the worker ask anew.
    pub fn note(&mut self, input: &Input) {
        let is_news = match input {
            Input::Wake { kick, .. } => *kick,
            Input::Call(_, Call::Task(_, call)) => {
                matches!(call, TaskCall::Resume | TaskCall::Update(_) | TaskCall::Authorize { .. })
            }
            Input::Call(_, call) => matches!(call, Call::Bulk { .. }),
            _ => false,
        };
        self.news += u64::from(is_news);
    }
}

impl Climate {
    /// Draws what servers are in trouble with.
    pub fn draw_trouble(&mut self, random: &mut Random) {
        self.nodes = random.pick(&[1, 1, 1, 2, 3]);
        self.crumbs = u64::from(random.one_in(8));
        self.maintenance_every_ms = random.pick(&[0, 0, 0, 60_000, 600_000]);
    }
}

impl Origin {
    /// Some sites have several nodes, and some servers are stingy.
    pub fn divide(&mut self, random: &mut Random, climate: &Climate) {
        for resource in &mut self.resources {
            resource.chance = Random::new(random.next());
            let is_stingy = climate.crumbs > 0 && random.one_in(3);
            resource.nodes = random.within(1..=climate.nodes.max(1));
            // Where CORS hides what a range is of, not even a request for two bytes would tell.
            if is_stingy && resource.exposes {
                resource.longest_range = Some(1);
            }
        }
    }
}

impl Resource {
    /// The tag of the current version at the node that answers.
    pub fn etag(&self) -> Option<String> {
        let tag = self.version().etag.as_ref()?;
        let of_node = |tag: &String| format!("\"{}-{}", self.node, tag.trim_start_matches('"'));
        Some(if self.node > 0 && self.tags == Tags::Strong { of_node(tag) } else { tag.clone() })
    }

    /// Another node may answer the next request.
    pub fn turn(&mut self) {
        self.node = self.chance.below(self.nodes);
        self.met.nodes |= self.node > 0;
    }

    /// When to come back, as servers put it that do not know.
    pub fn come_back(&mut self, now: u64) -> Option<String> {
        let past = imf_fixdate((EPOCH_MS + now) / 1_000 - 600);
        let words = [None, Some("0".into()), Some(past), Some("600".into()), Some("3600".into()), Some("soon".into())];
        self.chance.pick(&words)
    }
}

impl World {
    pub(super) fn schedule_maintenance(&mut self) {
        let every_ms = self.climate.maintenance_every_ms;
        if every_ms > 0 && !self.is_calm {
            let delay_ms = self.chance.within(0..=every_ms * 2);
            self.schedule(delay_ms, Event::Maintenance);
        }
    }

    /// A host serves nothing for a minute or an hour, also if all else is calm by then.
    pub(super) fn maintain(&mut self) {
        if self.is_calm {
            return;
        }
        let at = self.chance.below(self.origin.resources.len() as u64) as usize;
        let host = self.origin.resources[at].host.clone();
        let until = self.now + self.chance.pick(&[60_000, 3_600_000]);
        note!(self, "{host} is in maintenance until {until}");
        self.stats.count(Group::Origin, "maintenance");
        for resource in self.origin.resources.iter_mut().filter(|resource| resource.host == host) {
            resource.busy_until = until;
        }
        self.schedule_maintenance();
    }

    /// No task asks in a loop.
    pub(super) fn check_asked(&mut self, worker: &mut Worker, key: &TaskKey, url: &str) {
        let (now, news) = (self.now, worker.asked.news);
        // One of several sources is asked again whenever another has got on: the task's own limit is enough.
        let is_alone = self.origin.family(url).count() == 1;
        let resource = self.origin.find(url);
        let of_task = worker.asked.by_task.entry(key.clone()).or_insert_with(|| Count::new(now, news));
        if now - of_task.since >= 60_000 {
            *of_task = Count::new(now, news);
        }
        let most = MOST_PER_MINUTE[usize::from(resource.longest_range == Some(1))];
        assert!(!of_task.is_too_much(most, news), "{key:?} asks without end: {of_task:?}");
        if !is_alone || resource.busy_until <= now || !self.is_online {
            worker.asked.in_vain.remove(&resource.host);
            return;
        }
        let in_vain = worker.asked.in_vain.entry(resource.host.clone()).or_insert_with(|| Count::new(now, news));
        let [first, per_minute] = MOST_IN_VAIN;
        let most = first + per_minute * (now - in_vain.since) / 60_000;
        assert!(!in_vain.is_too_much(most, news), "{} is asked in vain: {in_vain:?}", resource.host);
    }
}

impl Model {
    /// A transfer does not begin anew for ever, and the engine forgets no restart. What was cut and cannot be continued counts
    /// as a failure instead. The count goes with a checkpoint that cannot be read, and such a loss is no answer of a server.
    pub fn check_restarts(&mut self, key: &TaskKey, before: Option<&Task>, after: &Task, event: Option<&TaskEvent>) {
        let before = before.filter(|before| before.record.spec.call_token == after.record.spec.call_token);
        let is_begun = before.is_none_or(|before| {
            let is_lost = before.progress.body == BodyId::UNKNOWN;
            // Also a file that was complete, and is repaired: that transfer had come to its end.
            is_lost || (!before.record.state.is_active() && after.record.state.is_active())
        });
        let count = self.restarts.entry(key.clone()).or_default();
        if is_begun {
            *count = 0;
        }
        let reason = event.and_then(|event| if let EventKind::Restarted(why) = event.kind { Some(why) } else { None });
        if reason.is_some_and(|reason| !matches!(reason, RestartReason::NotResumable | RestartReason::Damaged)) {
            *count += 1;
            let counted = after.progress.restarts_in_row;
            assert!(counted >= *count, "{key:?} has begun anew {count} times, but has counted {counted}");
        }
        assert!(*count <= MOST_RESTARTS, "{key:?} has begun anew {count} times");
    }
}

/// Whether a status that is about now has been there for long enough to give up; true for one that is not.
pub fn is_given_up(before: &Task, error: &TaskError, time: u64) -> bool {
    let Policy { resource_timeout_ms, .. } = before.record.spec.policy;
    let is_passing = matches!(error.status, Some(408 | 429 | 500 | 503));
    !is_passing || (resource_timeout_ms.is_none() && before.progress.busy_since.after(WEEK_MS).0 <= time)
}
