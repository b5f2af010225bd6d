//! What pages ask for: everything the interface knows, in every order, with ids and URLs that collide.

use longhaul::engine::id::{SessionId, TaskId, TaskKey};
use longhaul::engine::input::{Call, IfExists, TaskCall};
use longhaul::engine::session::{Configuration, SessionRecord};
use longhaul::engine::task::TaskSpec;

use super::pages::ToWorker;
use super::world::{Event, World};

impl World {
    /// A page does its next thing.
    pub fn act(&mut self, page: usize) {
        if self.is_calm || !self.pages[page].is_open || self.pages[page].calls_left == 0 {
            return;
        }
        self.pages[page].calls_left -= 1;
        if self.climate.bursts && self.random.one_in(3) {
            self.burst(page);
        } else if self.random.one_in(12) {
            self.send_message(page, ToWorker::Kick);
        } else if self.random.one_in(20) {
            self.acknowledge_wrongly(page);
        } else if self.random.one_in(25) {
            self.close(page);
        } else {
            let call = self.draw_call();
            self.call(page, call);
        }
        let pause_ms = self.random.pick(&[0, 10, 1_000, 10_000, 60_000]);
        let delay_ms = self.random.within(0..=pause_ms);
        self.schedule(delay_ms, Event::Act(page));
    }

    /// The call that opens a session; its version sometimes rises, sometimes is too low.
    pub fn open_call(&mut self, session: &SessionId) -> Call {
        let (_, highest) =
            self.sessions.iter_mut().find(|(known, _)| known == session).expect("there are no other sessions");
        let mut version = *highest;
        if !self.is_calm && self.random.one_in(5) {
            version = self.random.within(1..=u64::from(version) + 1) as u32;
            *highest = version.max(*highest);
        }
        let configuration = Configuration { version, max_concurrent_tasks: 1 + version % 4 };
        Call::Open(SessionRecord { id: session.clone(), configuration })
    }

    fn draw_call(&mut self) -> Call {
        let (session, _) = self.random.pick(&self.sessions);
        let key = TaskKey { session: session.clone(), task: self.draw_id() };
        match self.random.below(24) {
            0..8 => self.download(key),
            8..11 => Call::Task(key, TaskCall::Pause),
            11..15 => Call::Task(key, TaskCall::Resume),
            15..17 => Call::Task(key, TaskCall::Cancel),
            17..19 => Call::Task(key, TaskCall::Release),
            19 => Call::Task(key, TaskCall::Get),
            20 => Call::Task(key, TaskCall::Chunk(0)),
            21 => {
                let after = self.random.one_in(2).then(|| self.draw_id());
                Call::Tasks { session, after, limit: self.random.within(1..=5) as u32 }
            }
            22 => {
                let before = self.random.one_in(2).then(|| self.random.below(20));
                Call::History { session, before, limit: self.random.within(1..=5) as u32 }
            }
            _ => self.open_call(&session),
        }
    }

    fn draw_id(&mut self) -> TaskId {
        TaskId::new(&format!("task{}", self.random.below(self.climate.tasks)))
    }

    fn download(&mut self, key: TaskKey) -> Call {
        let resource = &self.origin.resources[self.random.below(self.climate.resources) as usize];
        let spec = TaskSpec {
            url: resource.url.clone(),
            host: resource.host.clone(),
            same_origin: resource.same_origin,
            call_token: String::new(),
            description: None,
            metadata: None,
        };
        let call_token = format!("token{}", self.name());
        let if_exists = self.random.pick(&[IfExists::Keep, IfExists::Keep, IfExists::Replace, IfExists::Error]);
        Call::Download { key, spec: TaskSpec { call_token, ..spec }, if_exists }
    }

    /// Many calls at a time: all of a map's tiles, or all of them cancelled.
    fn burst(&mut self, page: usize) {
        let (session, _) = self.random.pick(&self.sessions);
        let what =
            self.random.pick(&[None, None, Some(TaskCall::Cancel), Some(TaskCall::Pause), Some(TaskCall::Resume)]);
        for number in 0..self.climate.tasks {
            let key = TaskKey { session: session.clone(), task: TaskId::new(&format!("task{number}")) };
            let call = match what {
                None => self.download(key),
                Some(what) => Call::Task(key, what),
            };
            self.call(page, call);
        }
    }
}
