//! PLACEHOLDER of the integrity room: the real one replaces this file.
#![allow(missing_docs)]
use serde::{Deserialize, Serialize};
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm { Sha256, Sha384, Sha512 }
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashState(Vec<u8>);
pub struct Digest { pub bytes: Vec<u8> }
impl HashState {
    pub fn new(_: Algorithm) -> Self { Self(Vec::new()) }
    pub fn update(&mut self, bytes: &[u8]) { self.0.push(bytes.len() as u8) }
    pub fn hashed_bytes(&self) -> u64 { 0 }
    pub fn finish(&self) -> Digest { Digest { bytes: self.0.clone() } }
}
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected(Vec<u8>);
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces(Vec<u8>);
