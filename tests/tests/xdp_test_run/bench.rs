//! The program in the kernel, with maps as a controller writes them.

use crate::frame::{DELAY_REQ, Frame, SYNC, message};
use aya::programs::{TestRun as _, TestRunOptions};
use nix::time::{ClockId, clock_gettime};
use ptp_common::abi::{Counter, Serving};
use ptp_common::wire::MessageType;
use ptp_ctl::dataplane::{self, DataPlane, DataPlaneError, Grant, Mode};
use std::net::IpAddr;

pub(crate) const XDP_DROP: u32 = 1;
pub(crate) const XDP_PASS: u32 = 2;
pub(crate) const IDENTITY: [u8; 10] = [0x00, 0x1b, 0x19, 0xff, 0xfe, 0x01, 0x02, 0x03, 0x00, 0x01];
/// Server, our address, client.
pub(crate) const FAMILIES: [[&str; 3]; 2] =
    [["10.0.1.2", "10.0.2.1", "10.0.3.7"], ["fd00:1::2", "fd00:2::1", "fd00:3::7"]];

/// What clients of the bench are granted.
pub(crate) const DELAY_RESP: Grant =
    Grant { message_type: MessageType::DelayResp, log_interval: 4, expires: u64::MAX, nic_stamp: false };
/// Nobody is answered without a controller.
pub(crate) const ATTENDED: u64 = 1;
/// The program with a live controller, one server and one client per family.
pub(crate) struct Bench {
    pub(crate) plane: DataPlane,
}

impl Bench {
    /// `None`, said on stderr, where the kernel or the build cannot run the test.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let loaded = match dataplane::load(Mode::Native, 64) {
            Ok(loaded) => loaded,
            Err(error @ (DataPlaneError::Privileges { .. } | DataPlaneError::NoObject)) => {
                ptp_tests::skip(test, &error.to_string());
                return None;
            }
            Err(error) => panic!("{:#}", anyhow::Error::from(error)),
        };
        let mut plane = DataPlane::from_loaded(loaded).unwrap();
        let addresses = |index: usize| FAMILIES.map(|family| family[index].parse::<IpAddr>().unwrap());
        plane.set_servers(&addresses(0)).unwrap();
        plane.set_local(&addresses(1)).unwrap();
        for client in addresses(2) {
            plane.grant(client, IDENTITY, DELAY_RESP).unwrap();
        }
        plane.heartbeat(now(ClockId::CLOCK_MONOTONIC)).unwrap();
        let mut bench = Self { plane };
        bench.serve(&Serving::NOTHING, ATTENDED);
        Some(bench)
    }

    pub(crate) fn serve(&mut self, serving: &Serving, answers_until: u64) {
        self.plane.serve(serving, answers_until).unwrap();
    }

    pub(crate) fn counter(&self, wanted: Counter) -> u64 {
        let (_, name) = Counter::ALL[wanted as usize];
        self.plane.counters().unwrap().into_iter().find(|(found, _)| *found == name).unwrap().1
    }

    /// Runs the program once; the verdict, and the one counter that moved.
    pub(crate) fn run(&mut self, octets: &[u8]) -> (u32, Counter) {
        let before = self.plane.counters().unwrap();
        let verdict = self.run_many(octets, 1);
        let after = self.plane.counters().unwrap();
        let moved: Vec<_> = (0..before.len()).filter(|&index| before[index].1 != after[index].1).collect();
        assert_eq!(moved.len(), 1, "exactly one counter counts a frame: {moved:?}");
        assert_eq!(after[moved[0]].1, before[moved[0]].1 + 1);
        (verdict, Counter::ALL[moved[0]].0)
    }

    pub(crate) fn run_many(&mut self, octets: &[u8], repeat: u32) -> u32 {
        let (verdict, out) = self.run_out(octets, repeat);
        assert_eq!(out, octets, "a frame was changed");
        verdict
    }

    /// The verdict, and the frame as the program left it.
    pub(crate) fn run_out(&mut self, octets: &[u8], repeat: u32) -> (u32, Vec<u8>) {
        let mut out = vec![0; octets.len() + 64];
        let options = TestRunOptions {
            data_in: Some(octets),
            data_out: Some(&mut out),
            repeat,
            ..TestRunOptions::default()
        };
        let result = self.plane.program().unwrap().test_run(options).unwrap();
        out.truncate(result.data_size_out as usize);
        (result.return_value, out)
    }

    #[track_caller]
    pub(crate) fn expect(&mut self, octets: &[u8], counter: Counter) {
        let verdict = match counter {
            Counter::Taken
            | Counter::NotPtp
            | Counter::Reported
            | Counter::UnknownClient
            | Counter::GrantExpired
            | Counter::AboveRate
            | Counter::WrongDomain
            | Counter::NoStamp
            | Counter::BadUdpChecksum
            | Counter::BadIpChecksum
            | Counter::RingFull => XDP_DROP,
            _ => XDP_PASS,
        };
        assert_eq!(self.run(octets), (verdict, counter));
        let mut records = 0;
        self.plane.drain(usize::MAX, |_| records += 1);
        assert_eq!(
            records,
            u32::from(matches!(counter, Counter::Taken | Counter::Reported)),
            "a record in the ring for each frame handed over"
        );
    }

    pub(crate) fn sync(&self, family: [&str; 3]) -> Frame {
        Frame::new(family[0], family[1], message(SYNC, IDENTITY, 0))
    }

    pub(crate) fn delay_req(&self, family: [&str; 3]) -> Frame {
        Frame::new(family[2], family[1], message(DELAY_REQ, IDENTITY, 0))
    }
}

pub(crate) fn now(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).unwrap();
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}
