//! The answer of the program itself, on a real interface.

use crate::world::{Bpffs, FAR, NEAR, World};
use crate::{addresses, now};
use nix::time::ClockId;
use ptp_common::abi::Serving;
use ptp_common::net::checksum::WordSum;
use ptp_common::wire::MessageType;
use ptp_ctl::dataplane::{DataPlane, Grant, Mode};
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

const IDENTITY: [u8; 10] = [0x00, 0x1b, 0x19, 0xff, 0xfe, 0x01, 0x02, 0x03, 0x00, 0x01];

fn serving() -> Serving {
    let mut delay_resp = [0; 34];
    (delay_resp[0], delay_resp[1], delay_resp[3], delay_resp[33]) = (0x09, 2, 54, 0x7f);
    Serving { delay_resp, answers: 1, delay_resp_sum: WordSum::of(&delay_resp).raw(), ..Serving::NOTHING }
}

fn delay_req(sequence_id: u8) -> [u8; 44] {
    let mut octets = [0; 44];
    (octets[0], octets[1], octets[3], octets[31]) = (1, 2, 44, sequence_id);
    octets[20..30].copy_from_slice(&IDENTITY);
    octets
}

/// The client's stack takes it for what it is: checksums, lengths and addresses are right.
#[test]
fn a_socket_gets_the_answer_and_the_controller_nothing() {
    let Some(world) = World::new("a_socket_gets_the_answer_and_the_controller_nothing") else { return };
    let bpffs = Bpffs::mount();
    for mode in [Mode::Native, Mode::Generic] {
        // With a program at the far end, that end polls, and gets what XDP sends.
        let _far = world.far(|| DataPlane::open(&bpffs.options(Mode::Native))).unwrap();
        let mut plane = world.near(|| DataPlane::open(&bpffs.options(mode))).unwrap();
        plane.set_local(&addresses(NEAR)).unwrap();
        let grant = Grant {
            message_type: MessageType::DelayResp,
            log_interval: 0,
            expires: u64::MAX,
            nic_stamp: false,
        };
        for client in addresses(FAR) {
            plane.grant(client, IDENTITY, grant).unwrap();
        }
        plane.heartbeat(now(ClockId::CLOCK_MONOTONIC)).unwrap();
        plane.serve(&serving(), u64::MAX).unwrap();
        for (far, near) in FAR.into_iter().zip(NEAR) {
            let general = world.far(|| UdpSocket::bind((far.parse::<IpAddr>().unwrap(), 320)).unwrap());
            general.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let before = now(ClockId::from_raw(nix::libc::CLOCK_TAI));
            world.send(far, near, 319, &delay_req(7));
            let mut octets = [0; 128];
            let (length, from) = general.recv_from(&mut octets).expect("an answer");
            let after = now(ClockId::from_raw(nix::libc::CLOCK_TAI));
            assert_eq!((length, from.ip(), from.port()), (54, near.parse::<IpAddr>().unwrap(), 320));
            assert_eq!((octets[0], octets[31], &octets[44..54]), (0x09, 7, &IDENTITY[..]));
            let seconds = u64::from_be_bytes([
                0, 0, octets[34], octets[35], octets[36], octets[37], octets[38], octets[39],
            ]);
            let nanos = u32::from_be_bytes([octets[40], octets[41], octets[42], octets[43]]);
            let stamp = seconds * 1_000_000_000 + u64::from(nanos);
            assert!((before..=after).contains(&stamp), "{before} {stamp} {after}");
        }
        assert_eq!(plane.drain(usize::MAX, |_| ()), 0);
    }
}
