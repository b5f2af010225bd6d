//! What happened in a run, line by line. A run is first made without it; a failing one is repeated with it, since the
//! same seed gives the same steps.

use std::collections::VecDeque;

/// How many lines a failure shows.
const TAIL_LINES: usize = 30;

/// What is done with the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: they are not even made.
    Off,
    /// The last ones are kept, and all are hashed.
    Keep,
    /// They are printed as well.
    Print,
}

/// The lines of a run.
#[derive(Debug)]
pub struct Trace {
    mode: Mode,
    hash: u64,
    tail: VecDeque<String>,
}

impl Trace {
    /// An empty trace.
    pub fn new(mode: Mode) -> Self {
        Self { mode, hash: 0xcbf2_9ce4_8422_2325, tail: VecDeque::new() }
    }

    /// Whether lines are wanted.
    pub fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Adds a line.
    pub fn add(&mut self, line: String) {
        for byte in line.bytes() {
            // FNV-1a
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.mode == Mode::Print {
            println!("{line}");
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    /// A number that tells two traces apart.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub fn tail(&self) -> impl Iterator<Item = &String> {
        self.tail.iter()
    }
}
