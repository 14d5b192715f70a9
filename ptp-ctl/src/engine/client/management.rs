//! A client's data sets.

use super::association::Association;
use super::{Client, State};
use crate::engine::Instant;
use crate::engine::management::{DataSets, PortDataSets, time_interval};
use ptp_common::wire::management::{
    CurrentDs, DefaultDs, ParentDs, PortDs, PortState, TimePropertiesDs, TimeStatusNp, UnicastMaster,
    UnicastState,
};
use ptp_common::wire::{ClockQuality, Flags, MessageType, PortIdentity};

/// clockQuality of a clock that never serves, and of one of which nothing is known (IEEE 1588-2019, 7.6.2.5).
const NEVER_SERVES: ClockQuality =
    ClockQuality { clock_class: 255, clock_accuracy: 0xfe, offset_scaled_log_variance: 0xffff };
/// priority1 and priority2 by default.
const PRIORITY: u8 = 128;
/// timeSource: the local oscillator.
const INTERNAL_OSCILLATOR: u8 = 0xa0;
/// The flags that belong to the timePropertiesDS.
const PROPERTIES: u16 = 0x3f;

impl Client {
    /// For management.
    pub fn data_sets(&self, now: Instant) -> DataSets {
        let own = self.config.port.port_identity;
        let parent = self.parent();
        let announce = parent.as_ref().map(|parent| &parent.announce);
        let association = self.selected.map(|index| &self.associations[index]);
        let offset_ns = self.reference_estimate(now).map_or(0.0, |(_, estimate)| estimate.offset_ns);
        let path_delay_ns =
            association.and_then(|association| association.measured).map_or(0.0, |(_, delay)| delay);
        let grandmaster = announce.map_or(own.clock_identity, |announce| announce.grandmaster_identity);
        let clock = PortIdentity { port_number: 0, ..own };
        DataSets {
            default: DefaultDs {
                two_step: false,
                slave_only: true,
                number_ports: 1,
                priority1: PRIORITY,
                clock_quality: NEVER_SERVES,
                priority2: PRIORITY,
                clock_identity: own.clock_identity,
                domain_number: self.config.port.domain_number,
            },
            current: CurrentDs {
                steps_removed: announce.map_or(0, |announce| announce.steps_removed.saturating_add(1)),
                offset_from_master: time_interval(offset_ns),
                mean_path_delay: time_interval(path_delay_ns),
            },
            parent: ParentDs {
                parent_port_identity: association
                    .and_then(|association| association.identity)
                    .unwrap_or(clock),
                parent_stats: false,
                observed_parent_offset_scaled_log_variance: 0xffff,
                observed_parent_clock_phase_change_rate: i32::MAX,
                grandmaster_priority1: announce.map_or(PRIORITY, |announce| announce.grandmaster_priority1),
                grandmaster_clock_quality: announce
                    .map_or(NEVER_SERVES, |announce| announce.grandmaster_clock_quality),
                grandmaster_priority2: announce.map_or(PRIORITY, |announce| announce.grandmaster_priority2),
                grandmaster_identity: grandmaster,
            },
            time_properties: TimePropertiesDs {
                current_utc_offset: announce.map_or(0, |announce| announce.current_utc_offset),
                flags: Flags(parent.as_ref().map_or(0, |parent| parent.flags.0 & PROPERTIES)),
                time_source: announce.map_or(INTERNAL_OSCILLATOR, |announce| announce.time_source),
            },
            time_status: TimeStatusNp {
                master_offset: offset_ns.round() as i64,
                ingress_time: association
                    .and_then(|association| association.ingress)
                    .map_or(0, |ingress| i64::try_from(ingress.as_nanos()).unwrap_or(i64::MAX)),
                gm_present: grandmaster != own.clock_identity,
                gm_identity: grandmaster,
            },
            ports: [self.port_data_sets()].into_iter().collect(),
        }
    }

    fn port_data_sets(&self) -> PortDataSets {
        let config = &self.config;
        let granted = |message_type, asked| {
            let association = self.selected.map(|index| &self.associations[index]);
            association.and_then(|association| association.log_interval(message_type)).unwrap_or(asked)
        };
        let selected = |(index, association): (usize, &Association)| {
            association.unicast_master(self.selected == Some(index))
        };
        PortDataSets {
            port: PortDs {
                port_identity: config.port.port_identity,
                port_state: match self.state {
                    _ if self.selected.is_none() => PortState::Listening,
                    State::Locked => PortState::Slave,
                    // Who steers nothing never settles.
                    _ if self.servo.is_none() => PortState::Slave,
                    _ => PortState::Uncalibrated,
                },
                log_min_delay_req_interval: granted(MessageType::DelayResp, config.log_delay_resp_interval),
                log_announce_interval: granted(MessageType::Announce, config.log_announce_interval),
                announce_receipt_timeout: config.announce_receipt_timeout,
                log_sync_interval: granted(MessageType::Sync, config.log_sync_interval),
                minor_version: config.port.minor_version,
            },
            messages: self.messages,
            servers: self.servers().iter().enumerate().map(selected).collect(),
        }
    }
}

impl Association {
    fn unicast_master(&self, selected: bool) -> UnicastMaster {
        let announce = self.announced.as_ref().map(|announced| &announced.announce);
        let granted = |message_type| self.is_granted(message_type);
        UnicastMaster {
            port_identity: self.identity.unwrap_or_default(),
            clock_quality: announce.map_or(NEVER_SERVES, |announce| announce.grandmaster_clock_quality),
            selected,
            state: match granted(MessageType::Announce) {
                false => UnicastState::Wait,
                true if granted(MessageType::Sync) && granted(MessageType::DelayResp) => {
                    UnicastState::HaveSyncAndDelay
                }
                true if self.wants_all() => UnicastState::NeedSyncAndDelay,
                true => UnicastState::HaveAnnounce,
            },
            priority1: announce.map_or(0, |announce| announce.grandmaster_priority1),
            priority2: announce.map_or(0, |announce| announce.grandmaster_priority2),
            address: self.entry.address,
        }
    }
}
