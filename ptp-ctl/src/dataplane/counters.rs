//! The program's counters, and those of the records that userspace judges.

use super::error::DataPlaneError;
use super::maps::access;
use aya::maps::{MapData, PerCpuArray};
use ptp_common::abi::{Counter, FanOutCounter, names};

/// The program's counters by name, summed up over the CPUs.
pub(super) fn read(map: &PerCpuArray<MapData, u64>) -> Result<Vec<(&'static str, u64)>, DataPlaneError> {
    Counter::ALL
        .iter()
        .map(|&(counter, name)| {
            let values = map.get(&(counter as u32), 0).map_err(access(names::COUNTERS))?;
            Ok((name, values.iter().copied().fold(0, u64::wrapping_add)))
        })
        .collect()
}

/// The fan-out program's counters by name, summed up over the CPUs.
pub(super) fn read_fan_out(
    map: &PerCpuArray<MapData, u64>,
) -> Result<Vec<(&'static str, u64)>, DataPlaneError> {
    FanOutCounter::ALL
        .iter()
        .map(|&(counter, name)| {
            let values = map.get(&(counter as u32), 0).map_err(access(names::FAN_OUT_COUNTERS))?;
            Ok((name, values.iter().copied().fold(0, u64::wrapping_add)))
        })
        .collect()
}

/// What became of the records in the ring buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounters {
    /// Given to the controller, the UDP checksum being right.
    pub checksum_right: u64,
    /// Given to the controller; an IPv4 datagram without a checksum.
    pub checksum_zero: u64,
    /// Given to the controller; the checksum was left to a NIC that there was not (veth and the like).
    pub checksum_pseudo_header: u64,
    /// Dropped: the UDP checksum is wrong.
    pub checksum_wrong: u64,
    /// Given to the controller without an RX stamp: the NIC gave none.
    pub stamp_lost: u64,
    /// Dropped: no record that this controller understands. It means a bug or a foreign writer.
    pub malformed: u64,
}

impl RecordCounters {
    /// All of them, with the name used in every report.
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("checksum_right", self.checksum_right),
            ("checksum_zero", self.checksum_zero),
            ("checksum_pseudo_header", self.checksum_pseudo_header),
            ("checksum_wrong", self.checksum_wrong),
            ("stamp_lost", self.stamp_lost),
            ("malformed", self.malformed),
        ]
    }
}
