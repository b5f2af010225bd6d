//! Names of things. Text ids come from the app, numbers from the engine's own counters.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name(Rc<str>);

        impl $name {
            /// Wraps the text.
            pub fn new(text: &str) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub u64);
    };
}

text_id!(
    /// A session's identifier, chosen by the app and the same at every launch.
    SessionId
);
text_id!(
    /// A task's public id, unique in its session: the app's own, or one its page made.
    TaskId
);
text_id!(
    /// A group of tasks in a session: the tiles of one map.
    GroupId
);
text_id!(
    /// A page, as the browser names it (`Client.id` of the Service Workers specification).
    ClientId
);
impl ClientId {
    /// The worker's own code. No page is named so.
    pub fn hook() -> Self {
        Self::new("")
    }

    /// Whether it is.
    pub fn is_hook(&self) -> bool {
        self.as_str().is_empty()
    }
}

number_id!(
    /// An effect in flight. A [`super::output::Effect::Read`]'s id also names the buffer it filled.
    EffectId
);
number_id!(
    /// A wake: one event that the worker was started or kept alive for.
    WakeId
);
number_id!(
    /// A call that waits for its reply.
    CallId
);

/// Where a task is stored: its session and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// The session it belongs to.
    pub session: SessionId,
    /// Its id in that session.
    pub task: TaskId,
}

/// The stored bytes of one representation. Random, so that no two bodies ever share chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BodyId(pub u128);

impl BodyId {
    /// Stands for a body of which nothing is known any more, not even its name. When it dies the sweep looks for the bodies
    /// that no task has.
    pub const UNKNOWN: Self = Self(0);

    /// Reads what [`BodyId::to_text`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().map(Self)
    }

    /// 32 hexadecimal digits.
    pub fn to_text(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |place: u32| char::from(DIGITS[(self.0 >> (place * 4)) as usize & 15]);
        (0..32).rev().map(digit).collect()
    }
}
