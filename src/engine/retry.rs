//! When to try again: exponential back-off with jitter, and how often.

use super::random::Random;

/// How often a transfer may begin anew from byte 0 before it is given up.
pub const MAX_RESTARTS: u32 = 10;
/// For how long a server may say that it is busy, if the task says nothing of its time.
pub const GIVE_UP_MS: u64 = 7 * 24 * 60 * 60_000;
/// The longest back-off that is chosen here; a server may ask for longer.
pub const MAX_BACKOFF_MS: u64 = 5 * 60_000;
/// The longest time a server's `Retry-After` or a stored time is believed.
pub const MAX_WAIT_MS: u64 = 24 * 60 * 60_000;
/// How long to wait before looking whether the network is back, if no page says so earlier.
pub const OFFLINE_RECHECK_MS: u64 = 60_000;

const FIRST_BACKOFF_MS: u64 = 1_000;
const AFTER_PROGRESS_MS: u64 = 250;
/// The pause after a busy answer is that after so many more failures: some seconds.
const BUSY_FROM: u32 = 3;
/// The pause before a second restart is that after so many failures: each restart costs several requests, with those that
/// make sure that the file has changed.
const RESTART_FROM: u32 = 4;
/// What many were asked to do at one time is spread over so much at most.
const SPREAD_MS: u64 = 60_000;

/// The delay before the next attempt after `failures` attempts in a row that brought nothing. An attempt that
/// brought bytes is followed up almost at once.
pub fn backoff_ms(failures: u32, random: &mut Random) -> u64 {
    if failures == 0 {
        return random.below(AFTER_PROGRESS_MS);
    }
    let doublings = 1_u64.checked_shl(failures - 1).unwrap_or(u64::MAX);
    let longest = FIRST_BACKOFF_MS.saturating_mul(doublings).min(MAX_BACKOFF_MS);
    longest / 2 + random.below(longest / 2)
}

/// The delay before the next attempt after `times` busy answers in a row, the last of which asked for `asked_ms`.
pub fn busy_ms(times: u32, asked_ms: u64, random: &mut Random) -> u64 {
    let asked_ms = asked_ms + random.below(SPREAD_MS.min(asked_ms / 8));
    asked_ms.max(backoff_ms(times.saturating_add(BUSY_FROM), random))
}

/// The delay before a transfer begins anew that has done so `times` times in a row.
pub fn restart_ms(times: u32, random: &mut Random) -> u64 {
    backoff_ms(times + RESTART_FROM, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backs_off_ever_longer_but_never_longer_than_the_limit() {
        let mut random = Random::new(7);
        let longest = |failures, random: &mut Random| (0..400).map(|_| backoff_ms(failures, random)).max().unwrap();
        assert!(longest(0, &mut random) < AFTER_PROGRESS_MS);
        assert!((500..1_000).contains(&longest(1, &mut random)));
        assert!((2_000..4_000).contains(&longest(3, &mut random)));
        for failures in [12, 40, 55, 62, 64, 65, 70, u32::MAX] {
            assert!((MAX_BACKOFF_MS / 2..MAX_BACKOFF_MS).contains(&longest(failures, &mut random)), "{failures}");
        }
    }
}
