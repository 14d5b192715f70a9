use super::*;
use crate::engine::client::Client;
use crate::engine::config::{ClientConfig, LocalTimescale, PortConfig, ServerConfig};
use crate::engine::server::Server;
use crate::engine::{Engine, Instant};
use proptest::prelude::*;
use ptp_common::wire::management::{PortState, UnicastState};

const NOW: Instant = Instant::from_nanos(1_000_000_000);
const PMC: PortIdentity = PortIdentity { clock_identity: ClockIdentity([9; 8]), port_number: 4711 };

fn port() -> PortConfig {
    let port_identity = PortIdentity { clock_identity: ClockIdentity([1; 8]), port_number: 1 };
    PortConfig::plain(port_identity, LocalTimescale::Tai)
}

fn client(now: Instant) -> Client {
    Client::new(now, ClientConfig::plain(port(), "192.0.2.1".parse().unwrap()))
}

fn server(now: Instant) -> Server {
    Server::new(now, ServerConfig::plain(port()))
}

fn request(target: PortIdentity, action: u8, management_id: u16) -> Vec<u8> {
    let header = Header { sequence_id: 7, source_port_identity: PMC, ..Header::default() };
    let body = Body::Management(Management {
        target_port_identity: target,
        starting_boundary_hops: 1,
        boundary_hops: 1,
        action,
    });
    let id = management_id.to_be_bytes();
    let mut octets = vec![0; 128];
    let tlv = Tlv::Unknown { tlv_type: 1, value: &id };
    let length = Message::new(header, body).emit_with_tlvs(&[tlv], &mut octets).unwrap();
    octets.truncate(length);
    octets
}

fn get(management_id: u16) -> Vec<u8> {
    request(PortIdentity::WILDCARD, action::GET, management_id)
}

/// The one answer: who gives it, and its TLV.
#[track_caller]
fn only(answers: &[Vec<u8>]) -> (PortIdentity, Tlv<'_>) {
    let [answer] = answers else { panic!("{} answers", answers.len()) };
    let message = Message::parse(answer).unwrap();
    let Body::Management(Management { target_port_identity, action, .. }) = message.body else {
        panic!("{message:?}");
    };
    assert_eq!((target_port_identity, message.header.sequence_id), (PMC, 7));
    assert!(matches!(action, action::RESPONSE | action::ACKNOWLEDGE));
    (message.header.source_port_identity, message.suffix.iter().next().unwrap())
}

#[track_caller]
fn data_set<'a>(tlv: &Tlv<'a>) -> DataSet<'a> {
    let ManagementTlv { management_id, data } = ManagementTlv::of(tlv).unwrap();
    DataSet::parse(management_id, data).unwrap()
}

fn counted(responder: &Responder, name: &str) -> u64 {
    responder.counters().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn a_client_without_a_server_tells_of_itself() {
    let client = client(NOW);
    let clock = client.data_sets(NOW);
    let mut responder = Responder::default();
    let answers = responder.answer(&get(id::DEFAULT_DATA_SET), &clock);
    let (from, tlv) = only(&answers);
    assert_eq!(from.port_number, 0);
    let DataSet::Default(default) = data_set(&tlv) else { panic!("{tlv:?}") };
    assert!(default.slave_only && default.number_ports == 1);
    assert_eq!(default.clock_identity, from.clock_identity);

    let answers = responder.answer(&get(id::PORT_DATA_SET), &clock);
    let (from, tlv) = only(&answers);
    let DataSet::Port(port) = data_set(&tlv) else { panic!("{tlv:?}") };
    assert_eq!((port.port_identity, port.port_state), (from, PortState::Listening));

    let answers = responder.answer(&get(id::UNICAST_MASTER_TABLE_NP), &clock);
    let (_, tlv) = only(&answers);
    let DataSet::UnicastMasterTable(table) = data_set(&tlv) else { panic!("{tlv:?}") };
    assert!(table.iter().count() > 0);
    assert!(table.iter().all(|server| server.state == UnicastState::Wait && !server.selected));
    assert_eq!(counted(&responder, "answered"), 3);
}

#[test]
fn a_server_is_its_own_grandmaster() {
    let server = server(NOW);
    let clock = server.data_sets();
    let mut responder = Responder::default();
    let answers = responder.answer(&get(id::PARENT_DATA_SET), &clock);
    let (from, tlv) = only(&answers);
    let DataSet::Parent(parent) = data_set(&tlv) else { panic!("{tlv:?}") };
    assert_eq!(parent.grandmaster_identity, from.clock_identity);
    assert_eq!(parent.parent_port_identity, from);
    let answers = responder.answer(&get(id::TIME_STATUS_NP), &clock);
    let (_, tlv) = only(&answers);
    assert!(matches!(data_set(&tlv), DataSet::TimeStatus(status) if !status.gm_present));
    let answers = responder.answer(&get(id::PORT_DATA_SET), &clock);
    let (_, tlv) = only(&answers);
    assert!(matches!(data_set(&tlv), DataSet::Port(port) if port.port_state == PortState::Master));
}

#[test]
fn messages_are_counted_by_type() {
    let mut client = client(NOW);
    let due = client.poll_timeout().unwrap();
    client.handle_timeout(due);
    while client.poll_output().is_some() {}
    let clock = client.data_sets(due);
    let mut responder = Responder::default();
    let answers = responder.answer(&get(id::PORT_STATS_NP), &clock);
    let (_, tlv) = only(&answers);
    let DataSet::PortStats(stats) = data_set(&tlv) else { panic!("{tlv:?}") };
    // Signaling: requests.
    assert!(stats.sent[0xc] > 0);
    assert_eq!(stats.received, [0; 16]);
}

#[test]
fn each_port_answers_for_itself() {
    let mut clock = server(NOW).data_sets();
    clock.ports.extend(client(NOW).data_sets(NOW).ports);
    let own = clock.default.clock_identity;
    clock.ports[1].port.port_identity = PortIdentity { clock_identity: own, port_number: 2 };
    let mut responder = Responder::default();
    assert_eq!(responder.answer(&get(id::PORT_DATA_SET), &clock).len(), 2);
    let target = |port_number| PortIdentity { clock_identity: own, port_number };
    let answers = responder.answer(&request(target(2), action::GET, id::PORT_DATA_SET), &clock);
    assert_eq!(only(&answers).0, target(2));
    let answers = responder.answer(&request(target(3), action::GET, id::PORT_DATA_SET), &clock);
    let error = ManagementError::of(&only(&answers).1).unwrap();
    assert_eq!(error.error_id, ManagementError::WRONG_VALUE);
}

#[test]
fn what_is_not_told_or_set_is_refused() {
    let clock = server(NOW).data_sets();
    let mut responder = Responder::default();
    let mut refused = |action, management_id, error_id| {
        let answers = responder.answer(&request(PortIdentity::WILDCARD, action, management_id), &clock);
        let expected = Some(ManagementError { error_id, management_id });
        assert_eq!(ManagementError::of(&only(&answers).1), expected);
    };
    refused(action::GET, 0xc0ff, ManagementError::NO_SUCH_ID);
    refused(action::GET, 0x2005, ManagementError::NOT_SUPPORTED);
    refused(action::SET, id::DEFAULT_DATA_SET, ManagementError::NOT_SETABLE);
    refused(action::SET, 0x2005, ManagementError::NOT_SUPPORTED);
    refused(action::COMMAND, id::NULL_PTP_MANAGEMENT, ManagementError::NOT_SUPPORTED);
    assert_eq!(counted(&responder, "refused"), 5);
}

#[test]
fn a_table_that_fits_into_no_message_is_refused() {
    let mut clock = client(NOW).data_sets(NOW);
    let server = UnicastMaster { address: "2001:db8::1".parse().unwrap(), ..clock.ports[0].servers[0] };
    clock.ports[0].servers = vec![server; 38];
    let mut responder = Responder::default();
    assert_eq!(responder.answer(&get(id::UNICAST_MASTER_TABLE_NP), &clock).len(), 1);
    assert_eq!(counted(&responder, "answered"), 1);
    clock.ports[0].servers = vec![server; 39];
    let answers = responder.answer(&get(id::UNICAST_MASTER_TABLE_NP), &clock);
    let error = ManagementError::of(&only(&answers).1).unwrap();
    assert_eq!(error.error_id, ManagementError::RESPONSE_TOO_BIG);
}

#[test]
fn what_is_not_for_us_is_counted_and_dropped() {
    let clock = server(NOW).data_sets();
    let mut responder = Responder::default();
    let mut dropped = |octets: &[u8], name| {
        assert!(responder.answer(octets, &clock).is_empty());
        assert_eq!(counted(&responder, name), 1, "{name}");
    };
    let good = get(id::DEFAULT_DATA_SET);
    dropped(&good[..20], "malformed");
    let mut other_domain = good.clone();
    other_domain[4] = 1;
    dropped(&other_domain, "wrong_domain");
    dropped(&request(PMC, action::GET, id::DEFAULT_DATA_SET), "wrong_target");
    dropped(&request(PortIdentity::WILDCARD, action::RESPONSE, id::DEFAULT_DATA_SET), "not_asked");
    let mut octets = [0; 44];
    let sync = Body::Sync { origin_timestamp: ptp_common::time::Timestamp::ZERO };
    Message::new(Header::default(), sync).emit(&mut octets).unwrap();
    dropped(&octets, "not_management");
}

#[test]
fn a_message_without_its_tlv_is_malformed() {
    let clock = server(NOW).data_sets();
    let mut responder = Responder::default();
    let header = Header::default();
    let body = Body::Management(Management {
        target_port_identity: PortIdentity::WILDCARD,
        starting_boundary_hops: 0,
        boundary_hops: 0,
        action: action::GET,
    });
    let mut octets = [0; 128];
    let empty = Tlv::Unknown { tlv_type: 1, value: &[] };
    let whole = Tlv::Unknown { tlv_type: 1, value: &[0x20, 0] };
    for tlvs in [&[][..], &[empty], &[whole, whole]] {
        let length = Message::new(header, body).emit_with_tlvs(tlvs, &mut octets).unwrap();
        assert!(responder.answer(&octets[..length], &clock).is_empty());
    }
    assert_eq!(counted(&responder, "malformed"), 3);
}

proptest! {
    /// Whatever is asked, nothing panics, and what is answered is a message.
    #[test]
    fn any_octets_are_answered_or_dropped(at in 0..60_usize, octet: u8, length in 0..60_usize, rest: Vec<u8>) {
        let mut octets = get(id::PORT_DATA_SET);
        octets.truncate(length);
        if let Some(place) = octets.get_mut(at) {
            *place = octet;
        }
        octets.extend(rest);
        for answer in Responder::default().answer(&octets, &client(NOW).data_sets(NOW)) {
            prop_assert!(Message::parse(&answer).is_ok());
        }
    }
}
