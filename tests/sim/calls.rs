//! What pages ask for: everything the interface knows, in every order, with ids and URLs that collide.

use longhaul::engine::filter::Filter;
use longhaul::engine::group::GroupKey;
use longhaul::engine::id::{SessionId, TaskId, TaskKey};
use longhaul::engine::input::{BulkAction, Call, IfExists, TaskCall};
use longhaul::engine::session::{Configuration, Limits, SessionRecord};
use longhaul::engine::task::TaskSpec;

use super::pages::ToWorker;
use super::stats::Group;
use super::world::{Event, World};

impl World {
    /// A page does its next thing.
    pub fn act(&mut self, page: usize) {
        if self.is_calm || !self.pages[page].is_open || self.pages[page].calls_left == 0 {
            return;
        }
        self.pages[page].calls_left -= 1;
        self.perhaps_talk_nonsense(page);
        if self.climate.bursts > 0 && self.random.one_in(3) {
            self.burst(page);
        } else if self.random.one_in(12) {
            self.send_message(page, ToWorker::Kick);
        } else if self.random.one_in(12) {
            self.tell_conditions(page);
        } else if self.random.one_in(20) {
            self.acknowledge_wrongly(page);
        } else if self.random.one_in(25) {
            self.close(page);
        } else {
            let call = self.draw_call(page);
            self.stats.count(Group::Page, name_of(&call));
            self.call(page, call);
        }
        let pause_ms = self.random.pick(&[0, 10, 1_000, 10_000, 60_000]);
        let delay_ms = self.random.within(0..=pause_ms);
        self.schedule(delay_ms, Event::Act(page));
    }

    /// The call that opens a session; its version sometimes rises, sometimes is too low.
    pub fn open_call(&mut self, page: usize, session: &SessionId) -> Call {
        let (_, highest) =
            self.sessions.iter_mut().find(|(known, _)| known == session).expect("there are no other sessions");
        let mut version = *highest;
        if !self.is_calm && self.random.one_in(5) {
            version = self.random.within(1..=u64::from(version) + 1) as u32;
            *highest = version.max(*highest);
        }
        // Some pages mean something else by the same version.
        let is_other = self.named % 16 == 7;
        let limits = Limits { max_concurrent_tasks: 1 + version % 4, metered: !is_other, ..Limits::default() };
        let can_authorize = self.pages[page].can_authorize;
        let configuration = Configuration { version, limits };
        Call::Open(SessionRecord::new(session.clone(), configuration, can_authorize))
    }

    fn draw_call(&mut self, page: usize) -> Call {
        let (session, _) = self.random.pick(&self.sessions);
        let key = TaskKey { session: session.clone(), task: self.draw_id() };
        if self.random.per_mille(self.climate.special_calls) {
            return self.special_call(session, key);
        }
        match self.random.below(27) {
            0..8 => self.download(key),
            8..11 => Call::Task(key, TaskCall::Pause),
            11..15 => Call::Task(key, TaskCall::Resume),
            15..17 => Call::Task(key, TaskCall::Cancel { keep: self.random.one_in(2) }),
            17..19 => Call::Task(key, TaskCall::Release),
            19 => Call::Task(key, TaskCall::Get),
            20 | 24..27 => Call::Task(key, self.draw_reading()),
            21 => {
                let after = self.random.one_in(2).then(|| self.draw_id());
                let filter = self.draw_filter();
                Call::Select { session, filter, after, limit: self.random.within(1..=5) as u32 }
            }
            22 => {
                let before = self.random.one_in(2).then(|| self.random.below(20));
                Call::History { session, before, limit: self.random.within(1..=5) as u32 }
            }
            _ => self.open_call(page, &session),
        }
    }

    fn special_call(&mut self, session: SessionId, key: TaskKey) -> Call {
        match self.random.below(15) {
            0 | 1 => self.download_all(session),
            12 | 13 => Call::Task(key, self.draw_clearing()),
            14 => {
                let url = self.draw_url();
                Call::Find(url, self.named.is_multiple_of(2).then_some(session))
            }
            2 => Call::Bulk { session, filter: self.draw_filter(), action: self.draw_action() },
            3 => Call::Group(GroupKey { session, group: self.draw_group() }),
            4 | 5 => Call::Task(key, TaskCall::Update(self.draw_policy_patch())),
            6 => Call::UpdateSession(session, self.draw_limits_patch()),
            7 => Call::Task(key, TaskCall::ResumeData),
            8 => Call::Task(key, TaskCall::Cancel { keep: true }),
            9 | 10 => self.resume_from(key),
            _ => {
                let (spec, secrets) = self.draw_spec();
                Call::Download { key, spec, secrets, if_exists: IfExists::Refresh }
            }
        }
    }

    /// Most readers begin anew; some go on in what they were reading, as the last answer to any of them named it.
    fn draw_reading(&mut self) -> TaskCall {
        let offset = self.random.pick(&[0, 0, 1, 70_000, 300_000, 2_000_000, 9_000_000]);
        match self.random.below(3) {
            0 => TaskCall::Serve { range: Some(format!("bytes={offset}-")), if_range: None },
            _ => {
                let body = self.random.one_in(4).then(|| self.last_read.clone()).flatten();
                TaskCall::Chunk { offset, body, waits: self.random.one_in(2) }
            }
        }
    }

    fn draw_id(&mut self) -> TaskId {
        TaskId::new(&format!("task{}", self.random.below(self.climate.tasks)))
    }

    fn draw_url(&mut self) -> String {
        let number = self.random.below(self.origin.primaries as u64) as usize;
        let resource = &self.origin.resources[number];
        resource.source(resource.pass).url
    }

    fn draw_action(&mut self) -> BulkAction {
        let all =
            [BulkAction::Pause, BulkAction::Resume, BulkAction::Cancel, BulkAction::Release, BulkAction::ReleaseFile];
        self.random.pick(&all)
    }

    fn draw_filter(&mut self) -> Filter {
        let group = self.random.one_in(3).then(|| self.draw_group());
        let tag = self.random.one_in(4).then(|| "tag".to_owned());
        let states = if self.random.one_in(3) { self.random.below(32) as u8 } else { 0 };
        Filter { group, tag, states, unused_since: None }
    }

    fn download(&mut self, key: TaskKey) -> Call {
        let (spec, secrets) = self.draw_spec();
        let choices = [IfExists::Keep, IfExists::Keep, IfExists::Replace, IfExists::Error, IfExists::Refresh];
        Call::Download { key, spec, secrets, if_exists: self.random.pick(&choices) }
    }

    fn download_all(&mut self, session: SessionId) -> Call {
        let group = self.draw_group();
        let mut members: Vec<(TaskId, TaskSpec)> = Vec::new();
        for _ in 0..self.random.within(0..=5) {
            let (task, (mut spec, _)) = (self.draw_id(), self.draw_spec());
            spec.request.has_secrets = false;
            spec.group = Some(group.clone());
            if members.iter().all(|(other, _)| *other != task) {
                members.push((task, spec));
            }
        }
        let (fails_together, is_last) = (self.random.one_in(4), !self.random.one_in(4));
        Call::DownloadAll { group: GroupKey { session, group }, fails_together, members, is_last }
    }

    /// With what a page was given, with what it has changed, or with nothing that anybody ever gave.
    fn resume_from(&mut self, key: TaskKey) -> Call {
        let (spec, secrets) = self.draw_spec();
        let mut data = match self.resume_data.last() {
            Some(newest) if self.random.one_in(2) => newest.clone(),
            Some(_) => self.random.pick(&self.resume_data),
            None => vec![1, 2, 3],
        };
        if self.random.one_in(5) {
            let at = self.random.below(data.len() as u64) as usize;
            data[at] ^= 1 << self.random.below(8);
        }
        Call::ResumeFrom { key, spec, secrets, data }
    }

    /// Many calls at a time: all of a map's tiles, or all of them cancelled.
    fn burst(&mut self, page: usize) {
        let (session, _) = self.random.pick(&self.sessions);
        let cancel = TaskCall::Cancel { keep: false };
        let what = self.random.pick(&[None, None, Some(cancel), Some(TaskCall::Pause), Some(TaskCall::Resume)]);
        for number in 0..self.climate.tasks {
            let key = TaskKey { session: session.clone(), task: TaskId::new(&format!("task{number}")) };
            let call = match &what {
                None => self.download(key),
                Some(what) => Call::Task(key, what.clone()),
            };
            self.call(page, call);
        }
    }
}

fn name_of(call: &Call) -> &'static str {
    match call {
        Call::Open(_) => "calls: open",
        Call::Find(..) => "calls: find by URL",
        Call::UpdateSession(..) => "calls: update a session",
        Call::Download { if_exists: IfExists::Refresh, .. } => "calls: refresh",
        Call::Download { .. } => "calls: download",
        Call::DownloadAll { .. } => "calls: download all",
        Call::ResumeFrom { .. } => "calls: resume from",
        Call::Task(_, TaskCall::Update(_)) => "calls: update",
        Call::Task(_, TaskCall::Chunk { waits: true, .. } | TaskCall::Serve { .. }) => "calls: wait for bytes",
        Call::Task(_, TaskCall::Chunk { .. }) => "calls: read a file",
        Call::Task(_, TaskCall::MoveTo(_) | TaskCall::ReleaseFile) => "calls: move or take a file",
        Call::Task(..) => "calls: about one task",
        Call::Select { .. } => "calls: select",
        Call::Bulk { .. } => "calls: bulk",
        Call::Group(_) => "calls: about a group",
        Call::History { .. } => "calls: history",
    }
}
