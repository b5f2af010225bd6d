//! Seeds that once failed, each with its cause. They are run first, always.

/// Seed and cause.
pub const KEPT_SEEDS: &[(u64, &str)] = &[
    (8, "every dead body began a sweep of its own, and all of them swept the same"),
    (34, "a dead body whose commit was answered by unknown was not swept before the next boot"),
    (37, "cut or killed between the last byte and the end of the body: everything was fetched again"),
    (39, "a part of the file that nothing could continue was asked for until the task failed, or taken for the whole"),
    (76, "two opens at a time: the lower version was stored over the higher"),
    (237, "an event was passed over because younger ones filled the window"),
    (271, "a load of due tasks brought back a task that had ended while it was in flight"),
    (523, "an event that was stored while the outbox was being loaded was not delivered before the next boot"),
    (592, "an ack was ignored because the events had been forgotten after an unknown commit"),
    (930, "learning that ranges are of no use counted as the last failure"),
    (6_799, "storage full, many tasks waiting: the same due tasks were loaded in a loop"),
];
