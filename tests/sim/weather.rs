//! What changes around the workers: files, the network, storage.

use longhaul::engine::input::Input;
use longhaul::engine::policy::Conditions;

use super::browser::BROWSER;
use super::network::BodyEnd;
use super::stats::Group;
use super::storage::Outage;
use super::world::{Event, World, note};

impl World {
    pub(super) fn schedule_outage(&mut self) {
        let outage = self.random.pick(&[Outage::Full, Outage::Full, Outage::Down]);
        self.schedule_again(self.climate.outage_every_ms, Event::Outage(Some(outage)));
    }

    pub(super) fn fail_storage(&mut self, outage: Option<Outage>) {
        note!(self, "outage of storage: {outage:?}");
        self.storage.outage = outage.filter(|_| !self.is_calm);
        match self.storage.outage {
            Some(_) => {
                self.stats.count(Group::Storage, "outages");
                let over_ms = self.random.pick(&[2_000, 60_000, 600_000, 600_000]);
                self.schedule(over_ms, Event::Outage(None));
            }
            None => self.schedule_outage(),
        }
    }

    /// Lets something happen after about `every_ms`; never if that is zero.
    pub(super) fn schedule_again(&mut self, every_ms: u64, event: Event) {
        if every_ms > 0 && !self.is_calm {
            let delay_ms = self.random.within(0..=every_ms * 2);
            self.schedule(delay_ms, event);
        }
    }

    pub(super) fn change_file(&mut self) {
        if !self.is_calm {
            let number = self.random.below(self.climate.resources) as usize;
            self.origin.change(&mut self.random, number);
            note!(self, "file{number} is now {:?}", self.origin.resources[number].version());
            self.stats.count(Group::Origin, "files changed");
            self.schedule_again(self.climate.change_every_ms, Event::Change);
        }
    }

    /// Going offline breaks some connections, and leaves others alone.
    pub(super) fn go_online(&mut self, is_online: bool) {
        note!(self, "online: {is_online}");
        self.is_online = is_online || self.is_calm;
        if self.is_online {
            return self.schedule_again(self.climate.offline_every_ms, Event::Online(false));
        }
        self.stats.count(Group::Origin, "offline periods");
        let back_ms = self.random.pick(&[500, 20_000, 90_000]);
        self.schedule(back_ms, Event::Online(true));
        let mut workers = std::mem::take(&mut self.workers);
        for worker in &mut workers {
            for (id, attempt) in &mut worker.attempts {
                if attempt.host == BROWSER {
                    continue;
                }
                if self.random.one_in(3) || attempt.body.end == BodyEnd::Stall {
                    continue;
                }
                self.origin.find(&attempt.url).met.offline = true;
                let online = self.says_online();
                attempt.body.cut(self.now, online);
                if let Some(wish) = &attempt.wish {
                    self.schedule(0, Event::Read { worker: worker.number, attempt: *id, read: wish.read });
                }
            }
        }
        self.workers = workers;
    }
    /// The network becomes metered, or free again, and who can see it tells.
    pub(super) fn change_network(&mut self) {
        if self.is_calm {
            return;
        }
        self.is_metered = !self.is_metered;
        if self.random.one_in(4) {
            self.tells_network = !self.tells_network;
        }
        note!(self, "metered: {}, told: {}", self.is_metered, self.tells_network);
        self.stats.count(Group::Origin, "changes of the network");
        self.tell_all();
        self.schedule_again(self.climate.network_every_ms, Event::Network);
    }

    /// All pages and the worker tell what they see.
    pub(super) fn tell_all(&mut self) {
        for page in 0..self.pages.len() {
            if self.pages[page].is_open {
                self.tell_conditions(page);
            }
        }
        let conditions = self.conditions(false);
        if let Some(worker) = self.workers.last_mut() {
            worker.told.insert(None, conditions);
            let number = worker.number;
            self.give(number, vec![Input::Conditions { observer: None, conditions }]);
        }
    }

    /// What a page, or the worker itself, can tell.
    pub(super) fn conditions(&mut self, is_page: bool) -> Conditions {
        let metered = (self.is_calm || self.tells_network).then_some(self.is_metered && !self.is_calm);
        if !is_page {
            return Conditions { metered, ..Conditions::default() };
        }
        let is_visible = self.random.one_in(2);
        let can_begin = self.browser.is_used.then(|| !self.browser.random.one_in(3));
        let others = [None, None, Some(true), Some(false)];
        let [charging, idle] = [self.random.pick(&others), self.random.pick(&others)];
        let is_calm = self.is_calm;
        let told = |sign: Option<bool>| sign.filter(|_| !is_calm);
        Conditions { visible: Some(is_visible), metered, charging: told(charging), idle: told(idle), can_begin }
    }
}
