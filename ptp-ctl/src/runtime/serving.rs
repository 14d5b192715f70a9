//! What the XDP program answers and sends for a server: templates, and the time that it serves.

use super::driver::Driver;
use super::second_clock::facing_clients;
use crate::clock::{Clock, realtime_nanos};
use crate::engine::server::Templates;
use ptp_common::abi::{PATH_TRACE_LENGTH, ServedTime, Serving};
use ptp_common::net::checksum::WordSum;
use ptp_common::time::{Interval, NANOS_PER_SEC, RawStamp, StampSource};
use std::net::IpAddr;

/// Readings further apart than this tell the rate between two clocks.
const BASELINE_NS: u64 = 100_000_000;

/// How the served time follows from the kernel's stamps, kept up to date.
#[derive(Debug, Default)]
pub(super) struct ServedClock {
    /// A stamp of CLOCK_TAI and the served time then, where both had to be read: the clock is none of the kernel's.
    compared: Option<(u64, i128)>,
}

impl ServedClock {
    /// For stamps of CLOCK_TAI, which is `tai_offset` s ahead of CLOCK_REALTIME in this kernel; `None` if the clock
    /// cannot be read.
    pub(super) fn software(
        &mut self,
        clock: &dyn Clock,
        tai_offset: i32,
        ahead: Interval,
    ) -> Option<ServedTime> {
        let tai = |real: u64| real.saturating_add_signed(i64::from(tai_offset) * i64::from(NANOS_PER_SEC));
        let before = realtime_nanos();
        if let Some(served) = derived(clock, StampSource::XdpSw, tai(before), ahead) {
            return Some(served);
        }
        let reading = clock.now().ok()?;
        let stamp = tai(before.midpoint(realtime_nanos()));
        let served = (reading + ahead).as_nanos();
        let (since, then) = self.compared.unwrap_or((stamp, served));
        if self.compared.is_none() || stamp.saturating_sub(since) >= BASELINE_NS {
            self.compared = Some((stamp, served));
        }
        let rate = match stamp.saturating_sub(since) {
            elapsed if elapsed >= BASELINE_NS => rate(served - then - i128::from(elapsed), elapsed),
            _ => 0,
        };
        Some(ServedTime {
            reference_ns: stamp,
            offset_ns: (served - i128::from(stamp)).try_into().ok()?,
            rate,
        })
    }
}

/// For stamps of the NIC's clock; `None` where another clock is served.
pub(super) fn hardware(clock: &dyn Clock, ahead: Interval) -> Option<ServedTime> {
    let stamp = clock.now().ok()?.as_nanos().try_into().ok()?;
    derived(clock, StampSource::XdpHw, stamp, ahead)
}

/// Of a clock that knows what it read at a stamp.
fn derived(clock: &dyn Clock, source: StampSource, stamp: u64, ahead: Interval) -> Option<ServedTime> {
    let served = |nanos| clock.at(RawStamp { nanos, source }).map(|reading| (reading + ahead).as_nanos());
    let second = u64::from(NANOS_PER_SEC);
    let now = served(stamp)?;
    let later = served(stamp + second)?;
    Some(ServedTime {
        reference_ns: stamp,
        offset_ns: (now - i128::from(stamp)).try_into().ok()?,
        rate: rate(later - now - i128::from(second), second),
    })
}

/// `gained` ns in `elapsed` ns, as [`ServedTime::rate`].
fn rate(gained: i128, elapsed: u64) -> i64 {
    const MOST: i128 = (1 << 24) - 1;
    ((gained << 32) / i128::from(elapsed.max(1))).clamp(-MOST, MOST) as i64
}

/// All of it for the program. `None`, which is a bug, where a template is not as long as it should be.
pub(super) fn serving(
    templates: &Templates,
    addresses: &[IpAddr],
    dscp: u8,
    answers: bool,
    software: ServedTime,
    hardware: ServedTime,
) -> Option<Serving> {
    let octets = |v4: bool| {
        let address = addresses.iter().find(|address| address.is_ipv4() == v4);
        address.map_or([0; 16], |address| match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        })
    };
    let delay_resp: [u8; 34] = *templates.delay_resp.as_bytes().first_chunk()?;
    let sync: [u8; 44] = templates.sync.as_bytes().try_into().ok()?;
    let (announce, tlv) = templates.announce.as_bytes().split_first_chunk::<64>()?;
    let mut path_trace = [0; PATH_TRACE_LENGTH];
    path_trace.get_mut(..tlv.len())?.copy_from_slice(tlv);
    Some(Serving {
        software,
        hardware,
        addresses: [octets(true), octets(false)],
        delay_resp,
        traffic_class: dscp << 2,
        answers: answers.into(),
        sync,
        announce: *announce,
        path_trace,
        delay_resp_sum: WordSum::of(&delay_resp).raw(),
        sync_sum: WordSum::of(&sync).raw(),
        announce_sum: WordSum::of(announce).and(WordSum::of(&path_trace)).raw(),
        path_trace_length: tlv.len() as u32,
        padding: 0,
    })
}

impl Driver {
    /// A server's program answers by this clock.
    pub(super) fn serve(&mut self) {
        if let (Some(plane), Some(server)) = (&mut self.port.plane, self.role.server()) {
            let clock = facing_clients(&*self.clock, &self.second_clock);
            plane.serve(self.turn.instant, &server.templates(), clock, self.tai_offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;

    /// What the program computes is what the clock says, for as long as nobody tells it anything new.
    #[test]
    fn the_map_is_the_clock() {
        let mut clock = VirtualClock::new(-5_000_000, 30_000.0).unwrap();
        clock.set_kernel_tai_offset(37);
        let ahead = Interval::from_secs(37);
        let mut served = ServedClock::default();
        let map = served.software(&clock, 37, ahead).unwrap();
        for seconds in [0, 1, 30] {
            let nanos = map.reference_ns + seconds * 1_000_000_000;
            let expected = clock.at(RawStamp { nanos, source: StampSource::XdpSw }).unwrap() + ahead;
            let error = i128::from(map.at(nanos)) - expected.as_nanos();
            assert!(error.abs() <= 10, "{error} ns after {seconds} s");
        }
        assert_eq!(hardware(&clock, ahead), None);
    }
}
