//! When to try again: exponential back-off with full jitter, and how often.

use super::random::Random;

/// For each failure that a task may have, so many attempts may be lost by the network: a bad link may last for hours.
pub const LOST_PER_FAILURE: u32 = 4;
/// The longest back-off that is chosen here; a server may ask for longer.
pub const MAX_BACKOFF_MS: u64 = 5 * 60_000;
/// The longest time a server's `Retry-After` or a stored time is believed.
pub const MAX_WAIT_MS: u64 = 24 * 60 * 60_000;
/// How long to wait before looking whether the network is back, if no page says so earlier.
pub const OFFLINE_RECHECK_MS: u64 = 60_000;

const FIRST_BACKOFF_MS: u64 = 1_000;
const AFTER_PROGRESS_MS: u64 = 250;

/// The delay before the next attempt after `failures` attempts in a row that brought nothing. An attempt that
/// brought bytes is followed up almost at once.
pub fn backoff_ms(failures: u32, random: &mut Random) -> u64 {
    if failures == 0 {
        return random.below(AFTER_PROGRESS_MS);
    }
    let doublings = 1_u64.checked_shl(failures - 1).unwrap_or(u64::MAX);
    let longest = FIRST_BACKOFF_MS.saturating_mul(doublings).min(MAX_BACKOFF_MS);
    random.below(longest).max(AFTER_PROGRESS_MS)
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
