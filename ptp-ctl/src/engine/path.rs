//! The clocks that an announced time has come through.

use arrayvec::ArrayVec;
use ptp_common::wire::{ClockIdentity, MAX_PATH_TRACE, Message, Tlv};

/// pathSequence (IEEE 1588-2019, 16.2): grandmaster first. Of a longer one the end is kept; loops around more clocks than that
/// are left to the limit of stepsRemoved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PathSequence(ArrayVec<ClockIdentity, MAX_PATH_TRACE>);

impl PathSequence {
    /// That of an Announce; empty without PATH_TRACE.
    pub(super) fn of(message: &Message<'_>) -> Self {
        let trace = message.suffix.iter().find_map(|tlv| match tlv {
            Tlv::PathTrace(trace) => Some(trace),
            _ => None,
        });
        let mut path: ArrayVec<_, MAX_PATH_TRACE> =
            trace.into_iter().flat_map(|trace| trace.iter().rev()).take(MAX_PATH_TRACE).collect();
        path.reverse();
        Self(path)
    }

    /// With the clock behind it that passes the time on.
    pub(super) fn with(&self, clock: ClockIdentity) -> Self {
        let mut path = self.clone();
        if path.0.is_full() {
            path.0.remove(0);
        }
        path.0.push(clock);
        path
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ClockIdentity> + '_ {
        self.0.iter().copied()
    }

    /// As on the wire.
    pub(super) fn octets(&self) -> ArrayVec<u8, { 8 * MAX_PATH_TRACE }> {
        self.0.iter().flat_map(|clock| clock.0).collect()
    }

    pub(super) fn contains(&self, clock: ClockIdentity) -> bool {
        self.0.contains(&clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ptp_common::wire::{Body, Header, PathTrace, PortIdentity};

    #[test]
    fn the_end_of_a_long_path_is_kept() {
        let mut octets = [0; 8 * 20];
        for (number, octet) in octets.iter_mut().skip(7).step_by(8).enumerate() {
            *octet = number as u8;
        }
        let trace = Tlv::PathTrace(PathTrace::new(&octets).unwrap());
        let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
        let mut buffer = [0; 256];
        let length = Message::new(Header::default(), body).emit_with_tlvs(&[trace], &mut buffer).unwrap();
        let path = PathSequence::of(&Message::parse(&buffer[..length]).unwrap());
        let clock = |number| ClockIdentity([0, 0, 0, 0, 0, 0, 0, number]);
        assert_eq!(path.0.as_slice(), (5..20).map(clock).collect::<Vec<_>>());
        assert!(path.contains(clock(19)) && !path.contains(clock(4)));
    }
}
