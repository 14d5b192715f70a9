//! What a client's settings come to.

use super::super::{Clock, Common, Local, Retry, Select, ServoKind, Standby};
use crate::engine::config::{self as engine, ClientConfig, ServerEntry, ServoConfig};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How wrong a frequency can be of which nothing is known: as far as cheap oscillators are off, ppb.
const UNKNOWN_FREQUENCY_PPB: f64 = 100_000.0;

/// A client's settings, validated.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    pub(super) common: Common,
    /// The servers, in the order given; at least one.
    pub servers: Vec<ServerEntry>,
    /// Where the clock's frequency is kept.
    pub state_dir: PathBuf,
    /// Where the stamps of every exchange go.
    pub record: Option<PathBuf>,
    /// Where programs find the time and its bound.
    pub time_page: Option<PathBuf>,
    /// Where chrony takes samples, if it steers the clock.
    pub chrony_socket: Option<PathBuf>,
    pub(super) log_announce_interval: i8,
    pub(super) log_sync_interval: i8,
    pub(super) log_delay_resp_interval: i8,
    pub(super) duration: u32,
    pub(super) announce_receipt_timeout: u8,
    pub(super) sync_receipt_timeout: u8,
    pub(super) wait_to_restore: Duration,
    pub(super) max_steps_removed: u16,
    pub(super) check_interval: Duration,
    pub(super) retry: Retry,
    pub(super) select: Select,
    pub(super) standby: Standby,
    pub(super) switch_slew_ppb: u32,
    pub(super) max_variation_ns: u64,
    pub(super) delay_asymmetry_ns: i64,
    pub(super) max_asymmetry_ns: Option<u64>,
    pub(super) servo: ServoKind,
    pub(super) first_step_threshold_ns: u64,
    pub(super) step_threshold_ns: u64,
    pub(super) max_slew_ppb: u32,
}

impl ClientSettings {
    /// Addresses of the servers.
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.servers.iter().map(|server| server.address).collect()
    }

    /// What the engine needs, once the machine is known.
    pub fn engine_config(&self, local: &Local) -> ClientConfig {
        ClientConfig {
            port: self.common.port(local),
            servers: self.servers.clone(),
            log_announce_interval: self.log_announce_interval,
            log_sync_interval: self.log_sync_interval,
            log_delay_resp_interval: self.log_delay_resp_interval,
            duration: self.duration,
            announce_receipt_timeout: self.announce_receipt_timeout,
            sync_receipt_timeout: self.sync_receipt_timeout,
            wait_to_restore: self.wait_to_restore,
            max_steps_removed: self.max_steps_removed,
            check_interval: self.check_interval,
            retry: match self.retry {
                Retry::Fast => engine::Retry::Fast,
                Retry::Telecom => engine::Retry::Telecom,
            },
            select: match self.select {
                Select::Btca => engine::Select::Btca,
                Select::Priority => engine::Select::Priority,
            },
            standby: match self.standby {
                Standby::Hot => engine::Standby::Hot,
                Standby::Warm => engine::Standby::Warm,
            },
            switch_slew_ppb: self.switch_slew_ppb.into(),
            max_variation_ns: (self.max_variation_ns > 0).then_some(self.max_variation_ns),
            delay_asymmetry_ns: self.delay_asymmetry_ns,
            max_asymmetry_ns: self.max_asymmetry_ns,
            servo: (!matches!(self.common.clock, Clock::None | Clock::Chrony)).then_some(ServoConfig {
                kind: match self.servo {
                    ServoKind::Adaptive => engine::ServoKind::Adaptive,
                    ServoKind::Pi => {
                        let hardware_stamps = self.common.clock == Clock::Phc;
                        engine::ServoKind::Pi { hardware_stamps }
                    }
                },
                first_step_threshold_ns: self.first_step_threshold_ns,
                step_threshold_ns: self.step_threshold_ns,
                max_slew_ppb: self.max_slew_ppb.into(),
                initial_deviation_ppb: UNKNOWN_FREQUENCY_PPB,
                initial_frequency_ppb: local.frequency_ppb,
                max_frequency_ppb: local.max_frequency_ppb,
            }),
        }
    }
}
