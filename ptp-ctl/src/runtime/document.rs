//! The `stats` document, put together from all parts.

use super::counters::Counters;
use super::driver::Driver;
use super::management::ManagementSocket;
use super::plane::Plane;
use super::role::Role;
use super::second_clock::SecondClock;
use super::system_clock::SystemSide;
use crate::clock::realtime_nanos;
use crate::engine::nanos;
use crate::report::{self, ClockStatus, CounterSet, Document, UpstreamCounters};

impl Driver {
    pub(super) fn document(&self) -> Document<'_> {
        let sockets = self.port.sockets.counters();
        let (xdp, fan_out, records) = self.port.plane.as_ref().map(Plane::counters).unwrap_or_default();
        Document {
            version: report::VERSION,
            running: true,
            time_ns: realtime_nanos(),
            setup: &self.start.setup,
            clock: ClockStatus {
                kind: self.clock.kind(),
                frequency_ppb: self.clock.frequency(),
                true_error_ns: self.clock.true_error().map(nanos),
            },
            system_clock: self.system_side.as_ref().map(SystemSide::status),
            second_clock: self.second_clock.as_ref().map(SecondClock::status),
            status: self.role.status(self.monotonic.now().instant),
            counters: report::Counters {
                xdp,
                fan_out,
                records,
                rx: self.counters.rx(&sockets),
                tx: self.counters.tx(&sockets),
                engine: self.role.counters(),
                upstream: self.upstream_counters(),
                management: self.management.as_ref().map(ManagementSocket::counters),
                clock: self.clock_counters(),
            },
            history: self.reporter.history(),
            history_withheld: self.reporter.withheld(),
        }
    }

    /// Of a boundary clock.
    fn upstream_counters(&self) -> Option<UpstreamCounters> {
        let Role::Boundary(boundary) = &self.role else { return None };
        let engine = boundary.client().counters().collect();
        let Some(port) = &self.upstream else {
            return Some(UpstreamCounters { engine, ..UpstreamCounters::default() });
        };
        let (xdp, _, records) = port.plane.as_ref().map(Plane::counters).unwrap_or_default();
        let sockets = port.sockets.counters();
        // What the loop counts itself, it counts for both ports.
        let none = Counters::default();
        Some(UpstreamCounters { engine, xdp, records, rx: none.rx(&sockets), tx: none.tx(&sockets) })
    }

    /// Of clock calls; and what chrony was given, if it steers.
    fn clock_counters(&self) -> CounterSet {
        let fed = self.chrony.as_ref();
        let fed = fed.map(|feed| [("samples_given", feed.given), ("samples_not_taken", feed.not_taken)]);
        self.counters.clock().into_iter().chain(fed.into_iter().flatten()).collect()
    }
}
