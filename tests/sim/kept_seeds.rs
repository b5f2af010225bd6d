//! Seeds that once failed, each with its cause. They are run first, always.

/// Seed and cause.
pub const KEPT_SEEDS: &[(u64, &str)] = &[
    (64, "a refresh with another URL sent the old one's validators, even across origins"),
    (197, "the row of a group, read while it was being sealed, undid the seal: its event never came"),
    (255, "a download that took the id of a group's member left its group one member too many"),
    (314, "more segments were begun for a task that had to wait by then"),
    (397, "a group ended with counts that a commit in flight was changing"),
    (572, "asked for headers, an app that gave none was asked again at once, for ever"),
    (750, "the length of an earlier answer ended the file of a later one"),
    (774, "asked about a group whose row could not be stored, the engine never answered"),
    (863, "strong validators only, and a server that sends parts: begun anew for ever"),
    (876, "headers of a download that was not durable yet went to the URL of the one before"),
    (910, "a page of a bulk call brought back a task that had ended meanwhile"),
    (2294, "a mirror that is the task's URL by now has to show its length all the same"),
    (6519, "a group failed together by a row that could not be written"),
    (9820, "a bulk call cancelled what had taken the place of the task that it meant"),
    (9982, "resume data of a whole file was used for another URL, as its app said it may"),
    (13232, "a mirror across origins was believed to be as long as the file, whose length it never told"),
    (14582, "a call that was sent again told its headers to the origin that its task had moved to"),
    (15015, "tasks that were let go were loaded again at once, after every commit"),
    (17260, "the hook of a worker whose time was over handled one event of the next again and again"),
    (18625, "a session kept another, which allows a host less, from it, and began segment after segment"),
    (41121, "what had been taken of a browser's record was stored once more after a kill"),
    (44678, "secrets were sent beside the headers that had taken their place"),
    (60312, "bytes that mirrors had brought on the word of a digest went to a task that had none"),
    (62096, "the secrets of a task that was replaced were sent for the one that took its place"),
    (91158, "what was found out about a task's server counted against the task that took its place"),
    (
        96208,
        "bytes that a comparison holds together were taken up where that was refused, and then asked for again whole",
    ),
];
