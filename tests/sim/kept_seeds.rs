//! Seeds that once failed, each with its cause. They are run first, always.

/// Seed and cause.
pub const KEPT_SEEDS: &[(u64, &str)] = &[];
