//! The browser: carries out what the engine asks for, and decides nothing.
//!
//! | file | what |
//! | --- | --- |
//! | `boundary` | the exports; JS values become types here and nowhere else |
//! | `calls`, `specs`, `fields` | calls, what they say of tasks and sessions, their single fields: read and checked |
//! | `messages` | types become JS values |
//! | `start`, `lease` | lease, epoch, snapshot: from nothing to a running driver |
//! | `archive` | what can be read of a database that a newer longhaul has written |
//! | `driver` | the loop; the only owner of the engine |
//! | `fetch`, `body` | one request; its bytes, collected into buffers |
//! | `background_fetch` | what the browser itself has fetched: how it stands, and one answer of it |
//! | `commits` | commits on their way to storage, several to a transaction |
//! | `files` | stored files, chunk by chunk: handed out, or hashed |
//! | `filing` | files that leave the store |
//! | `progress`, `quota` | how fast it goes; how much may still be stored |
//! | `clock`, `agent` | time; which browser this is |
//! | `turns` | for which task something is done, should it crash |
//! | `host` | what `host.ts` does for us: replies, posts, locks |
//! | `indexeddb` | the store |

mod agent;
mod archive;
mod background_fetch;
mod body;
pub mod boundary;
pub mod calls;
mod clock;
mod driver;
mod error;
mod fetch;
mod fields;
mod files;
mod filing;
mod host;
pub mod indexeddb;
mod lease;
mod messages;
mod operations;
mod progress;
mod quota;
mod specs;
mod start;
mod turns;
