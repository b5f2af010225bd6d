//! Authorisation just in time: a server that wants to know who asks makes the task wait, with its bytes, until a page
//! or the worker's own code has supplied headers or another URL.

use super::Engine;
use super::delivery::Session;
use super::error::{ErrorCode, TaskError};
use super::id::{ClientId, SessionId, TaskKey};
use super::input::TaskCall;
use super::output::{AuthorizationNeed, Change, Output};
use super::ranges::Ranges;
use super::request::{Header, without_query};
use super::slot::{Asker, Queued, Staged};
use super::task::{FoundByUrl, Task, TaskRecord, TaskSpec, TaskState, WaitReason};

/// After how long a task tries by itself: the user may have signed in again, which changes a cookie.
const RECHECK_MS: u64 = 60 * 60_000;
/// How many times in a row what was supplied may be refused; what is tried while nothing was supplied does not count.
const MAX_REFUSALS: u32 = 5;

/// Headers that are never stored, and the task and the origin that they were given for.
#[derive(Debug)]
pub(super) struct Secrets {
    /// Of the call that made the task: another may have its id by now.
    call_token: String,
    origin: String,
    headers: Vec<Header>,
}

impl Engine {
    /// Takes the place of what was given for the task before.
    pub(super) fn keep_secrets(&mut self, key: &TaskKey, spec: &TaskSpec, headers: Vec<Header>) {
        self.secrets.remove(key);
        if !headers.is_empty() {
            let (call_token, origin) = (spec.call_token.clone(), spec.origin().into());
            self.secrets.insert(key.clone(), Secrets { call_token, origin, headers });
        }
    }

    /// What was given for the task, and for the origin that it has now: it may have moved since.
    pub(super) fn secrets_of(&self, record: &TaskRecord) -> &[Header] {
        let spec = &record.spec;
        let is_its_own = |given: &&Secrets| given.origin == spec.origin() && given.call_token == spec.call_token;
        let given = self.secrets.get(&record.key).filter(|_| spec.request.has_secrets).filter(is_its_own);
        given.map_or(&[], |given| &given.headers)
    }

    /// Whether the worker's own code or an open page could be asked on behalf of this session.
    pub(super) fn can_ask(&self, session: &SessionId) -> bool {
        self.hook_can_authorize || self.sessions.get(session).is_some_and(|session| session.authorizer().is_some())
    }

    /// The server wants to know who asks, or does not like the answer. The task waits if a page that could be asked has ever
    /// opened the session, whether one is open now or not; else waiting would be of no use.
    pub(super) fn refused(&mut self, key: &TaskKey, mut task: Task, error: TaskError) {
        let had_secrets = self.secrets.remove(key).is_some();
        let may_come = self.sessions.get(&key.session).is_some_and(|session| session.record.has_authorizer);
        let needs_secrets = had_secrets || task.record.spec.request.has_secrets;
        let could_be_asked = needs_secrets || may_come || self.can_ask(&key.session);
        // What it tries by itself while it waits is no answer that was refused.
        let reason = Some(WaitReason::Authorization);
        let has_waited = matches!(task.record.state, TaskState::Active { reason: waits, .. } if waits == reason);
        task.progress.failures += u32::from(!has_waited);
        if !could_be_asked {
            self.fail(key, task, Vec::new(), error);
        } else if task.progress.failures > MAX_REFUSALS {
            let error = TaskError { code: ErrorCode::Unauthorized, ..error };
            self.fail(key, task, Vec::new(), error);
        } else {
            let status = error.status;
            self.note_error(key, error);
            self.wait_for_authorization(key, task, status);
        }
    }

    pub(super) fn wait_for_authorization(&mut self, key: &TaskKey, mut task: Task, status: Option<u16>) {
        let not_before = self.now.after(RECHECK_MS);
        task.record.enter(TaskState::Active { not_before, reason: Some(WaitReason::Authorization) }, self.now);
        let changes =
            vec![Change::PutTask(task.record.clone()), Change::PutProgress(key.clone(), task.progress.clone())];
        if let Some(slot) = self.slots.get_mut(key) {
            slot.refused_with = status;
        }
        self.commit_transfer(key, task, None, changes);
    }

    /// Asks for what the task's server wants: this page, or else any that can, or the worker's own code.
    pub(super) fn ask_authorization(&mut self, key: &TaskKey, page: Option<&ClientId>) {
        let Some(slot) = self.slots.get(key) else { return };
        let Some(task) = &slot.task else { return };
        let waits = TaskState::Active {
            not_before: task.record.due().unwrap_or_default(),
            reason: Some(WaitReason::Authorization),
        };
        if task.record.state != waits || slot.busy {
            return;
        }
        let need = AuthorizationNeed { url: without_query(task.record.spec.url()).into(), status: slot.refused_with };
        let page = page.or_else(|| self.sessions.get(&key.session)?.authorizer()).cloned();
        if page.is_some() || self.hook_can_authorize {
            self.outputs.push_back(Output::AskAuthorization(page, key.clone(), need));
        }
    }

    /// Asks again for all tasks of a session: a page that has just come, since those that are known may have gone, or another
    /// than the one that has gone.
    pub(super) fn ask_authorization_again(&mut self, session: &SessionId, page: Option<&ClientId>) {
        let keys: Vec<TaskKey> = self.slots.keys().filter(|key| key.session == *session).cloned().collect();
        keys.iter().for_each(|key| self.ask_authorization(key, page));
    }

    /// Takes what was supplied: headers, for the origin of the task's URL, or another URL.
    pub(super) fn authorize(&mut self, key: &TaskKey, asker: Asker, mut task: Task, call: TaskCall) {
        let TaskCall::Authorize { headers, persist, source, .. } = call.clone() else { return };
        let mut secrets = None;
        let spec = &mut task.record.spec;
        let moves = source.as_ref().is_some_and(|source| spec.sources.first() != Some(source));
        if let (Some(source), Some(first)) = (source, spec.sources.first_mut()) {
            if source.origin != first.origin {
                // What was given for one origin is not told to another.
                spec.request.headers.clear();
                spec.request.has_secrets = false;
                secrets = Some(Vec::new());
            }
            *first = source;
        }
        match headers {
            Some(headers) if persist => {
                spec.request.headers = headers;
                spec.request.has_secrets = false;
                secrets = Some(Vec::new());
            }
            Some(headers) => {
                spec.request.has_secrets = !headers.is_empty();
                // What was stored under the same name is what the server has just refused.
                let is_new = |name: &str| headers.iter().any(|(new, _)| new.eq_ignore_ascii_case(name));
                spec.request.headers.retain(|(name, _)| !is_new(name));
                secrets = Some(headers);
            }
            // Who was asked has given all there is to give: without this it would be asked again at once, for ever.
            None if self.secrets_of(&task.record).is_empty() => task.record.spec.request.has_secrets = false,
            None => {}
        }
        if task.record.by_url == FoundByUrl::Anywhere {
            // Whatever was supplied was supplied for one user.
            task.record.by_url = FoundByUrl::InSession;
        }
        let mut changes = Vec::new();
        if moves {
            changes = self.take_checkpoint(key, &mut task);
            self.drop_attempts(key);
            if let Some(slot) = self.slots.get_mut(key) {
                slot.target = None;
            }
            task.progress.bad_sources &= !1;
            // Nor is it to blame for what that brought.
            task.progress.brought.truncate(0);
            task.progress.told_elsewhere = true;
            task.progress.ranges = Ranges::Open;
        }
        if task.record.state.is_active() {
            task.record.enter(TaskState::READY, self.now);
        }
        changes.push(Change::PutTask(task.record.clone()));
        changes.push(Change::PutProgress(key.clone(), task.progress.clone()));
        let staged = Staged { task: Some(task), call: Some((asker, Queued::Task(call))), secrets, ..Staged::default() };
        self.commit_task(key, staged, changes);
    }
}

impl Session {
    /// The page to ask for headers: the delegate, or else any that can.
    pub(super) fn authorizer(&self) -> Option<&ClientId> {
        self.clients_that_authorize().next()
    }
}
