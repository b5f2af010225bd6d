//! Bandwidth limits: after so many bytes, not before that time.

use super::time::Timestamp;

/// The smallest read that a limit leads to; smaller ones cost more than they save.
const SMALLEST_READ: u64 = 16 << 10;

/// How far ahead of its limit a transfer is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    free_at: Timestamp,
}

impl Pace {
    /// Notes bytes that have come.
    pub fn spend(&mut self, bytes: u64, limit: Option<u64>, now: Timestamp) {
        if let Some(limit) = limit {
            let cost_ms = bytes.saturating_mul(1_000).div_ceil(limit.max(1));
            self.free_at = self.free_at.max(now).after(cost_ms);
        }
    }

    /// When the next bytes may come; `None` if they may now.
    pub fn wait(&self, limit: Option<u64>, now: Timestamp) -> Option<Timestamp> {
        limit.map(|_| self.free_at).filter(|free_at| *free_at > now)
    }
}

/// The most that one read should bring, given a limit in bytes per second: about half a second's worth.
pub fn read_bytes(limit: Option<u64>, wanted: u64) -> u64 {
    limit.map_or(wanted, |limit| wanted.min((limit / 2).max(SMALLEST_READ)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_over_time() {
        let (mut pace, limit) = (Pace::default(), Some(100_000));
        let (mut now, mut bytes) = (Timestamp(0), 0);
        while now < Timestamp(60_000) {
            now = pace.wait(limit, now).unwrap_or(now);
            let read = read_bytes(limit, 8 << 20);
            pace.spend(read, limit, now);
            bytes += read;
        }
        assert!((5_900_000..=6_100_000).contains(&bytes), "{bytes} in a minute");
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let mut pace = Pace::default();
        pace.spend(1 << 40, None, Timestamp(0));
        assert_eq!(pace.wait(None, Timestamp(0)), None);
        assert_eq!(read_bytes(None, 7), 7);
    }
}
