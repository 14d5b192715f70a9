//! What a server announces of the time that it serves: its own, or that of the server which it follows itself.

use super::Server;
use super::status::Announced;
use crate::engine::client::Parent;
use crate::engine::config::LocalTimescale;
use crate::engine::path::PathSequence;
use crate::engine::{Instant, KernelClock};
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{Announce, ClockQuality, Flags};
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// clockClass of a grandmaster that follows a primary reference, and of one that did and is still as good (IEEE 1588-2019,
/// table 4).
const PRIMARY: u8 = 6;
const PRIMARY_HOLDOVER: u8 = 7;
/// clockClass of a grandmaster that followed a primary reference, out of specification (ITU-T G.8275.2, table 6; of the three the
/// one that claims least).
const PRIMARY_OUT: u8 = 160;
/// clockClass of a boundary clock in holdover, in specification (ITU-T G.8275.2, table 6).
const HOLDOVER: u8 = 135;
/// The same, out of specification.
const HOLDOVER_OUT: u8 = 165;
/// clockAccuracy: unknown.
const ACCURACY_UNKNOWN: u8 = 0xfe;
/// offsetScaledLogVariance: unknown.
const VARIANCE_UNKNOWN: u16 = 0xffff;
/// timeSource: NTP.
const NTP: u8 = 0x50;
/// timeSource: the local oscillator.
const INTERNAL_OSCILLATOR: u8 = 0xa0;
/// What is passed on of the flags: the time properties.
const PROPERTIES: Flags = Flags::LEAP_61
    .with(Flags::LEAP_59)
    .with(Flags::CURRENT_UTC_OFFSET_VALID)
    .with(Flags::PTP_TIMESCALE)
    .with(Flags::TIME_TRACEABLE)
    .with(Flags::FREQUENCY_TRACEABLE);
/// Those that stay true without a server: which timescale it is, and how far from UTC.
const TIMESCALE: Flags = Flags::CURRENT_UTC_OFFSET_VALID.with(Flags::PTP_TIMESCALE);
/// Those that stay true as long as the clock is in specification.
const WHILE_IN_SPECIFICATION: Flags =
    Flags::LEAP_61.with(Flags::LEAP_59).with(Flags::TIME_TRACEABLE).with(Flags::FREQUENCY_TRACEABLE);

/// How the local clock stands to the time that it was set by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It follows its reference.
    Locked,
    /// It did, and is still as good as it must be.
    Holdover,
    /// It did, and has been without for too long.
    HoldoverOut,
    /// It never did.
    #[default]
    FreeRunning,
}

/// What a boundary clock's server knows of the client beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::engine) struct Upstream {
    pub(in crate::engine) standing: Standing,
    /// Of the server in use, or the last one.
    pub(in crate::engine) parent: Option<Parent>,
}

impl Server {
    /// What is passed on has changed, or not. Clients hear of it with their next Announce; of another timescale, at once.
    pub(in crate::engine) fn set_upstream(&mut self, now: Instant, upstream: Upstream) {
        if self.upstream.as_ref() == Some(&upstream) {
            return;
        }
        let before = (self.local_to_served(), self.upstream.is_some());
        self.upstream = Some(upstream);
        if before != (self.local_to_served(), true) {
            self.change_timescale(now);
        }
    }

    /// The local clock was set: what was stamped before gets no answer from after.
    pub(in crate::engine) fn clock_stepped(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// What brings a reading of the local clock into the timescale that is served; `None` where that is an arbitrary
    /// one, which is served as it is read.
    pub(super) fn local_to_served(&self) -> Option<Interval> {
        if let Some(Upstream { parent, .. }) = &self.upstream {
            // Before a boundary clock has heard of a server, its time is nobody's.
            let parent = parent.as_ref().filter(|parent| parent.flags.contains(Flags::PTP_TIMESCALE));
            return parent.map(|parent| parent.local_to_server);
        }
        match self.config.port.local_timescale {
            LocalTimescale::Tai => Some(Interval::ZERO),
            LocalTimescale::Utc => self.kernel_tai_offset.map(|seconds| Interval::from_secs(seconds.into())),
        }
    }

    /// What is announced now, with its flags and path.
    pub(super) fn data_set(&self) -> (Announce, Flags, PathSequence) {
        let own = self.config.port.port_identity.clock_identity;
        match &self.upstream {
            None => {
                let announce = self.own_announce();
                let traceable = match announce.grandmaster_clock_quality.clock_class {
                    PRIMARY | PRIMARY_HOLDOVER => Flags::TIME_TRACEABLE.with(Flags::FREQUENCY_TRACEABLE),
                    _ => Flags::default(),
                };
                (announce, self.own_timescale().with(traceable), PathSequence::default())
            }
            Some(Upstream { standing: Standing::Locked, parent: Some(parent) }) => {
                let announce = Announce {
                    origin_timestamp: Timestamp::ZERO,
                    steps_removed: parent.announce.steps_removed.saturating_add(1),
                    ..parent.announce
                };
                (announce, Flags(parent.flags.0 & PROPERTIES.0), parent.path.with(own))
            }
            Some(Upstream { standing, parent }) => {
                let mut flags = Flags::default();
                let mut announce = self.own_announce();
                if let Some(parent) = parent {
                    let kept = match standing {
                        Standing::Holdover => TIMESCALE.with(WHILE_IN_SPECIFICATION),
                        _ => TIMESCALE,
                    };
                    flags = Flags(parent.flags.0 & kept.0);
                    announce.current_utc_offset = parent.announce.current_utc_offset;
                }
                let clock_class = match standing {
                    Standing::Locked | Standing::FreeRunning => ClockQuality::DEFAULT_CLASS,
                    Standing::Holdover => HOLDOVER,
                    Standing::HoldoverOut => HOLDOVER_OUT,
                };
                announce.grandmaster_clock_quality = ClockQuality {
                    clock_class,
                    clock_accuracy: ACCURACY_UNKNOWN,
                    offset_scaled_log_variance: VARIANCE_UNKNOWN,
                };
                announce.time_source = INTERNAL_OSCILLATOR;
                (announce, flags, PathSequence::default().with(own))
            }
        }
    }

    /// For the reports.
    pub(super) fn announced(&self) -> Announced {
        let (announce, flags, path) = self.data_set();
        Announced {
            grandmaster_identity: announce.grandmaster_identity.to_string(),
            clock_class: announce.grandmaster_clock_quality.clock_class,
            clock_accuracy: announce.grandmaster_clock_quality.clock_accuracy,
            priority1: announce.grandmaster_priority1,
            priority2: announce.grandmaster_priority2,
            steps_removed: announce.steps_removed,
            time_source: announce.time_source,
            time_traceable: flags.contains(Flags::TIME_TRACEABLE),
            leap59: flags.contains(Flags::LEAP_59),
            leap61: flags.contains(Flags::LEAP_61),
            path: path.iter().map(|clock| clock.to_string()).collect(),
        }
    }

    /// currentUtcOffset where it is announced as valid, s.
    pub(super) fn current_utc_offset(&self) -> Option<i16> {
        let (announce, flags, _) = self.data_set();
        flags.contains(Flags::CURRENT_UTC_OFFSET_VALID).then_some(announce.current_utc_offset)
    }

    /// `None` of a grandmaster without a primary reference.
    pub(super) fn standing(&self) -> Option<Standing> {
        if let Some(upstream) = &self.upstream {
            return Some(upstream.standing);
        }
        let auto = self.config.auto_quality.filter(|auto| auto.primary)?;
        Some(match self.kernel_clock {
            // The configuration says so, and nobody contradicts.
            None => Standing::Locked,
            Some(clock) if clock.synchronised => Standing::Locked,
            Some(_) if !self.settled => Standing::FreeRunning,
            Some(clock) if clock.max_error <= Duration::from_nanos(auto.holdover_limit_ns) => {
                Standing::Holdover
            }
            Some(_) => Standing::HoldoverOut,
        })
    }

    pub(super) fn own_announce(&self) -> Announce {
        let mut announce = Announce {
            origin_timestamp: Timestamp::ZERO,
            current_utc_offset: self.kernel_tai_offset.unwrap_or(0),
            grandmaster_priority1: self.config.priority1,
            grandmaster_clock_quality: self.config.clock_quality,
            grandmaster_priority2: self.config.priority2,
            grandmaster_identity: self.config.port.port_identity.clock_identity,
            steps_removed: 0,
            time_source: self.config.time_source,
        };
        let Some(auto) = self.config.auto_quality else { return announce };
        let quality = &mut announce.grandmaster_clock_quality;
        quality.clock_class = match self.standing() {
            Some(Standing::Locked) if auto.primary => PRIMARY,
            Some(Standing::Holdover) if auto.primary => PRIMARY_HOLDOVER,
            Some(Standing::HoldoverOut) if auto.primary => PRIMARY_OUT,
            _ => ClockQuality::DEFAULT_CLASS,
        };
        if let Some(clock) = self.kernel_clock.filter(|clock| clock.synchronised) {
            if quality.clock_accuracy == ACCURACY_UNKNOWN {
                quality.clock_accuracy = accuracy(clock.max_error);
            }
            if !auto.primary {
                announce.time_source = NTP;
            }
        } else if auto.primary && quality.clock_class != PRIMARY {
            announce.time_source = INTERNAL_OSCILLATOR;
        }
        announce
    }

    fn own_timescale(&self) -> Flags {
        let mut flags = Flags::default();
        if self.serves_ptp_timescale() {
            flags = flags.with(Flags::PTP_TIMESCALE);
        }
        if self.kernel_tai_offset.is_some() {
            flags = flags.with(Flags::CURRENT_UTC_OFFSET_VALID);
        }
        match self.kernel_clock {
            Some(KernelClock { leap59: true, leap61: false, .. }) => flags.with(Flags::LEAP_59),
            Some(KernelClock { leap59: false, leap61: true, .. }) => flags.with(Flags::LEAP_61),
            _ => flags,
        }
    }
}

/// clockAccuracy of a clock that is never further off (IEEE 1588-2019, table 5).
fn accuracy(max_error: Duration) -> u8 {
    const MICROS: [(u64, u8); 14] = [
        (1, 0x23),
        (2, 0x24),
        (10, 0x25),
        (25, 0x26),
        (100, 0x27),
        (250, 0x28),
        (1_000, 0x29),
        (2_500, 0x2a),
        (10_000, 0x2b),
        (25_000, 0x2c),
        (100_000, 0x2d),
        (250_000, 0x2e),
        (1_000_000, 0x2f),
        (10_000_000, 0x30),
    ];
    let within = |(micros, _): &&(u64, u8)| max_error <= Duration::from_micros(*micros);
    MICROS.iter().find(within).map_or(0x31, |&(_, code)| code)
}
