//! PATH_TRACE (16.2): which clocks the time of an Announce has come through.

use super::ClockIdentity;

pub(super) const PATH_TRACE: u16 = 0x0008;

/// Most clocks that this system keeps and passes on: with them an Announce fills the longest packet that it sends.
pub const MAX_PATH_TRACE: usize = 15;

/// Octets of one clockIdentity.
const IDENTITY: usize = 8;

/// pathSequence: grandmaster first, sender last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathTrace<'a> {
    octets: &'a [u8],
}

impl<'a> PathTrace<'a> {
    /// From the wire: `None` if this is no whole number of identities.
    pub const fn new(octets: &'a [u8]) -> Option<Self> {
        if octets.len().is_multiple_of(IDENTITY) { Some(Self { octets }) } else { None }
    }

    /// As on the wire.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// Clock by clock.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = ClockIdentity> + use<'a> {
        let identity = |octets: &[u8]| octets.try_into().map(ClockIdentity).unwrap_or_default();
        self.octets.chunks_exact(IDENTITY).map(identity)
    }
}
