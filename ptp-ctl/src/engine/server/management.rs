//! A server's data sets.

use super::Server;
use crate::engine::management::{DataSets, PortDataSets};
use ptp_common::wire::PortIdentity;
use ptp_common::wire::management::{
    CurrentDs, DefaultDs, ParentDs, PortDs, PortState, TimePropertiesDs, TimeStatusNp,
};

/// announceReceiptTimeout by default: a server waits for no Announce.
const ANNOUNCE_RECEIPT_TIMEOUT: u8 = 3;

impl Server {
    /// For management. Intervals of the port are the shortest that are granted.
    pub fn data_sets(&self) -> DataSets {
        let config = &self.config;
        let own = config.port.port_identity;
        let (announce, flags, _) = self.data_set();
        let [_, properties] = flags.0.to_be_bytes();
        DataSets {
            default: DefaultDs {
                two_step: config.two_step,
                slave_only: false,
                number_ports: 1,
                priority1: config.priority1,
                clock_quality: self.own_announce().grandmaster_clock_quality,
                priority2: config.priority2,
                clock_identity: own.clock_identity,
                domain_number: config.port.domain_number,
            },
            current: CurrentDs { steps_removed: announce.steps_removed, ..CurrentDs::default() },
            parent: ParentDs {
                parent_port_identity: PortIdentity { port_number: 0, ..own },
                parent_stats: false,
                observed_parent_offset_scaled_log_variance: 0xffff,
                observed_parent_clock_phase_change_rate: i32::MAX,
                grandmaster_priority1: announce.grandmaster_priority1,
                grandmaster_clock_quality: announce.grandmaster_clock_quality,
                grandmaster_priority2: announce.grandmaster_priority2,
                grandmaster_identity: announce.grandmaster_identity,
            },
            time_properties: TimePropertiesDs {
                current_utc_offset: announce.current_utc_offset,
                flags: ptp_common::wire::Flags(properties.into()),
                time_source: announce.time_source,
            },
            time_status: TimeStatusNp {
                gm_present: announce.grandmaster_identity != own.clock_identity,
                gm_identity: announce.grandmaster_identity,
                ..TimeStatusNp::default()
            },
            ports: [PortDataSets {
                port: PortDs {
                    port_identity: own,
                    port_state: PortState::Master,
                    log_min_delay_req_interval: config.policy.min_log_interval,
                    log_announce_interval: config.policy.min_log_announce_interval,
                    announce_receipt_timeout: ANNOUNCE_RECEIPT_TIMEOUT,
                    log_sync_interval: config.policy.min_log_interval,
                    minor_version: config.port.minor_version,
                },
                messages: self.messages,
                servers: Vec::new(),
            }]
            .into_iter()
            .collect(),
        }
    }
}
