//! The database of a newer longhaul, as a deploy that was rolled back leaves it: what is there can be read, as far as this
//! version knows it, and nothing is written.

use std::rc::Rc;

use wasm_bindgen_futures::spawn_local;

use super::files::chunk;
use super::host::Host;
use super::indexeddb::IndexedDb;
use super::lease::Lease;
use super::messages::{self, Message, number};
use crate::engine::codec::decode;
use crate::engine::error::{ErrorCode, TaskError};
use crate::engine::file::{file_location, service};
use crate::engine::id::{CallId, TaskKey};
use crate::engine::input::{Call, Input, Loaded, StoreFailure, TaskCall};
use crate::engine::output::{Activity, Answer, Query, TaskSnapshot};
use crate::engine::session::SessionRecord;
use crate::engine::task::Task;
use crate::engine::time::Timestamp;
use crate::store::queries::load;
use crate::store::{Key, Reader, Store, Table, Value};

/// The component where it may only read.
pub struct Archive {
    host: Host,
    store: IndexedDb,
    now: Timestamp,
    _lease: Lease,
}

impl Archive {
    /// Answers for `store` until a worker that may write asks for the lease.
    pub fn new(host: Host, store: IndexedDb, now: Timestamp, lease: Lease) -> Rc<Self> {
        Rc::new(Self { host, store, now, _lease: lease })
    }

    /// Takes in what happened. There is no work, so that no wake is held.
    pub fn handle(self: &Rc<Self>, input: Input) {
        match input {
            Input::Wake { wake, .. } => self.host.settle(number(wake.0), false),
            Input::Call(id, call) => {
                let archive = Rc::clone(self);
                spawn_local(async move { archive.reply(id, archive.answer(call).await) });
            }
            _ => {}
        }
    }

    fn reply(&self, call: CallId, result: Result<Message, TaskError>) {
        match result {
            Ok(answer) => self.host.reply(number(call.0), true, answer.into()),
            Err(error) => self.host.reply(number(call.0), false, messages::error(&error).into()),
        }
    }

    async fn answer(&self, call: Call) -> Result<Message, TaskError> {
        match call {
            Call::Open(record) => match self.session(&record).await {
                Ok(Some(stored)) => {
                    Ok(messages::answer(Answer::Opened { version: stored.configuration.version, differs: false }))
                }
                _ => Err(TaskError::new(ErrorCode::NewerStore)),
            },
            Call::Task(key, TaskCall::Get) => {
                let task = self.task(key).await?;
                Ok(messages::answer(Answer::Task(self.snapshot(task))))
            }
            Call::Task(key, TaskCall::Chunk { offset, body, .. }) => {
                let task = self.task(key).await?;
                let file = file_location(&task, body.as_deref())?;
                let found = chunk(&self.store, (file.body, file.length), offset).await.map_err(|loss| loss.error())?;
                Ok(messages::chunk(found, &file))
            }
            Call::Task(key, TaskCall::Serve { range, if_range }) => {
                let service = service(&self.task(key).await?, range.as_deref(), if_range.as_deref())?;
                Ok(messages::answer(Answer::Serve(Box::new(service))))
            }
            Call::Find(url, session) => match self.load(&Query::ByUrl(url, session)).await? {
                Loaded::Tasks(tasks) => {
                    let found = tasks.into_iter().next().map(|task| task.record.key);
                    Ok(messages::answer(Answer::Found(found)))
                }
                _ => Err(TaskError::new(ErrorCode::Storage)),
            },
            Call::Select { session, filter, after, limit } => {
                match self.load(&Query::Select { session, filter, after, limit }).await? {
                    Loaded::Page(tasks, next) => {
                        let tasks = tasks.into_iter().map(|task| self.snapshot(task)).collect();
                        Ok(messages::answer(Answer::Tasks(tasks, next)))
                    }
                    _ => Err(TaskError::new(ErrorCode::Storage)),
                }
            }
            _ => Err(TaskError::new(ErrorCode::NewerStore)),
        }
    }

    async fn session(&self, wanted: &SessionRecord) -> Result<Option<SessionRecord>, StoreFailure> {
        let row = self.store.reader().await?.get(Table::Sessions, &Key::text(wanted.id.as_str())).await?;
        // Of one that cannot be read it is known that it is there.
        let record = |row| if let Value::Bytes(bytes) = row { decode(&bytes) } else { None };
        Ok(row.map(|row| record(row).unwrap_or_else(|| wanted.clone())))
    }

    async fn task(&self, key: TaskKey) -> Result<Task, TaskError> {
        match self.load(&Query::Task(key)).await? {
            Loaded::Tasks(mut tasks) => tasks.pop().ok_or(TaskError::new(ErrorCode::TaskNotFound)),
            _ => Err(TaskError::new(ErrorCode::Storage)),
        }
    }

    async fn load(&self, query: &Query) -> Result<Loaded, TaskError> {
        let loaded = async { load(&self.store.reader().await?, query).await };
        loaded.await.map_err(|_| TaskError::new(ErrorCode::Storage))
    }

    /// As pages see it: nothing is being done about it.
    fn snapshot(&self, Task { record, progress }: Task) -> TaskSnapshot {
        TaskSnapshot {
            record,
            progress,
            activity: Activity::Idle,
            waiting: None,
            last_error: None,
            segments: 0,
            at: self.now,
        }
    }
}
