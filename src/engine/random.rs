//! Randomness as an input: a small generator that the driver seeds from the browser's own source at each boot.

/// SplitMix64 (Steele, Lea and Flood, 2014) over a 128-bit seed. Good for jitter and for ids that must not
/// collide; not a secret.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    stream: u64,
}

impl Random {
    /// A generator; the same seed gives the same numbers.
    pub fn new(seed: u128) -> Self {
        Self { state: seed as u64, stream: (seed >> 64) as u64 }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state ^ self.stream;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next 128 bits.
    pub fn next_wide(&mut self) -> u128 {
        (u128::from(self.next()) << 64) | u128::from(self.next())
    }

    /// A number below `limit`; zero if the limit is zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }
}
