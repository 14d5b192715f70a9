//! What our wire code emits is read by a foreign parser: tshark's PTP dissector must decode the same numbers, and
//! find nothing malformed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ptp_common::net::{EVENT_PORT, GENERAL_PORT};
use ptp_common::time::{Correction, Timestamp};
use ptp_common::wire::{
    Announce, Body, CancelUnicast, ClockIdentity, ClockQuality, Flags, GrantUnicast, Header, Management,
    Message, MessageType, PortIdentity, RequestUnicast, Tlv,
};
use ptp_tests::{Need, have};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What tshark must find: its field's name, and the values of all its occurrences.
type Fields = BTreeMap<&'static str, Vec<i128>>;

const SERVER: PortIdentity = PortIdentity {
    clock_identity: ClockIdentity([0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]),
    port_number: 1,
};
const CLIENT: PortIdentity = PortIdentity {
    clock_identity: ClockIdentity([0x02, 0xa1, 0xa2, 0xff, 0xfe, 0xa5, 0xa6, 0xa7]),
    port_number: 0x0203,
};

#[test]
fn tshark_reads_what_we_emit() {
    if !have("tshark_reads_what_we_emit", &[Need::Program("tshark")]) {
        return;
    }
    let mut pcap = pcap_header();
    let mut expected = Vec::new();
    for (name, header, body, tlvs) in messages() {
        let mut octets = [0; 512];
        let message = Message::new(header, body);
        let length = message.emit_with_tlvs(&tlvs, &mut octets).unwrap();
        let port = if body.message_type().is_event() { EVENT_PORT } else { GENERAL_PORT };
        let fields = fields(&message, &tlvs, length);
        for (network, padding) in [(Network::V4, 0), (Network::V6, 0), (Network::V6, 2)] {
            let frame = frame(network, port, &octets[..length + padding]);
            append_frame(&mut pcap, expected.len() as u32, &frame);
            expected.push((format!("{name}, {network:?}, {padding} octets of padding"), fields.clone()));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("emitted.pcap");
    std::fs::write(&path, pcap).unwrap();

    let names: BTreeSet<&str> = expected.iter().flat_map(|(_, fields)| fields.keys().copied()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let decoded = tshark(&path, &names);
    assert_eq!(decoded.len(), expected.len());
    for ((case, expected), decoded) in expected.iter().zip(&decoded) {
        assert_eq!(decoded.complaints, "", "{case}");
        for (field, values) in expected {
            assert_eq!(numbers(&decoded.fields[*field]), *values, "{case}: {field}");
        }
    }
}

/// A broken message must be noticed, else the test above shows nothing.
#[test]
fn tshark_complains() {
    if !have("tshark_complains", &[Need::Program("tshark")]) {
        return;
    }
    let (_, header, body, _) = messages().swap_remove(0);
    let mut octets = [0; 64];
    let length = Message::new(header, body).emit(&mut octets).unwrap();
    let mut pcap = pcap_header();
    append_frame(&mut pcap, 0, &frame(Network::V4, EVENT_PORT, &octets[..length - 4]));
    let mut wrong_checksum = frame(Network::V4, EVENT_PORT, &octets[..length]);
    *wrong_checksum.last_mut().unwrap() ^= 1;
    append_frame(&mut pcap, 1, &wrong_checksum);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broken.pcap");
    std::fs::write(&path, pcap).unwrap();
    let decoded = tshark(&path, &["ptp.v2.messagetype"]);
    assert!(decoded[0].complaints.contains("Malformed"), "{:?}", decoded[0].complaints);
    assert!(decoded[1].complaints.contains("checksum"), "{:?}", decoded[1].complaints);
}

/// One of every message, in an order in which they could be on a wire: the dissector pairs them.
fn messages() -> Vec<(&'static str, Header, Body, Vec<Tlv<'static>>)> {
    let server = Header {
        sdo_id: 0x123,
        minor_version: 1,
        domain_number: 44,
        flags: Flags::UNICAST.with(Flags::PTP_TIMESCALE),
        correction_field: Correction::from_scaled(0x5_8000),
        source_port_identity: SERVER,
        sequence_id: 0xabcd,
        log_message_interval: 0x7f,
        ..Header::default()
    };
    let client = Header { source_port_identity: CLIENT, sequence_id: 0x0102, ..server };
    let two_step = Header { flags: server.flags.with(Flags::TWO_STEP), ..server };
    let delay_resp = Header { sequence_id: client.sequence_id, ..server };
    let follow_up = Header { log_message_interval: -3, ..server };
    let timestamp = |seconds, nanoseconds| Timestamp::new(seconds, nanoseconds).unwrap();
    let to_client = Body::Signaling { target_port_identity: CLIENT };
    let to_whom = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
    let announce = Announce {
        origin_timestamp: timestamp(0x654a_3b2c, 123_456_789),
        current_utc_offset: 37,
        grandmaster_priority1: 127,
        grandmaster_clock_quality: ClockQuality {
            clock_class: 6,
            clock_accuracy: 0x21,
            offset_scaled_log_variance: 0x4e5d,
        },
        grandmaster_priority2: 129,
        grandmaster_identity: SERVER.clock_identity,
        steps_removed: 3,
        time_source: 0x20,
    };
    let management = Management {
        target_port_identity: PortIdentity::WILDCARD,
        starting_boundary_hops: 2,
        boundary_hops: 1,
        action: 0,
    };
    let null_management = Tlv::Unknown { tlv_type: 1, value: &[0, 0] };

    let mut messages = vec![
        ("Sync", two_step, Body::Sync { origin_timestamp: timestamp(0x1_654a_3b2c, 999_999_999) }, vec![]),
        (
            "Follow_Up",
            follow_up,
            Body::FollowUp { precise_origin_timestamp: timestamp(0xffff_ffff_ffff, 1) },
            vec![],
        ),
        ("Delay_Req", client, Body::DelayReq { origin_timestamp: Timestamp::ZERO }, vec![]),
        (
            "Delay_Resp",
            delay_resp,
            Body::DelayResp {
                receive_timestamp: timestamp(0x654a_3b2c, 7),
                requesting_port_identity: CLIENT,
            },
            vec![],
        ),
        ("Announce", Header { log_message_interval: 1, ..server }, Body::Announce(announce), vec![]),
        ("Management", client, Body::Management(management), vec![null_management]),
    ];
    for tlv in negotiation() {
        let (header, body) =
            if matches!(tlv, Tlv::GrantUnicast(_)) { (server, to_client) } else { (client, to_whom) };
        messages.push(("Signaling with one TLV", header, body, vec![tlv]));
    }
    messages.push(("Signaling with many TLVs", client, to_whom, negotiation()));
    messages
}

fn negotiation() -> Vec<Tlv<'static>> {
    let mut tlvs = Vec::new();
    for (message_type, log_inter_message_period, duration_field) in [
        (MessageType::Announce, 1, 300),
        (MessageType::Sync, -7, 1000),
        (MessageType::DelayResp, -4, 0x0102_0304),
    ] {
        tlvs.push(Tlv::RequestUnicast(RequestUnicast {
            message_type,
            log_inter_message_period,
            duration_field,
        }));
        tlvs.push(Tlv::GrantUnicast(GrantUnicast {
            message_type,
            log_inter_message_period,
            duration_field,
            renewal_invited: message_type == MessageType::Sync,
        }));
        let by_client = CancelUnicast { message_type, maintain_request: false, maintain_grant: true };
        tlvs.push(Tlv::CancelUnicast(by_client));
        tlvs.push(Tlv::AcknowledgeCancelUnicast(by_client));
    }
    tlvs
}

fn identity(ClockIdentity(octets): ClockIdentity) -> i128 {
    u64::from_be_bytes(octets).into()
}

/// From the values that were emitted, not from our own reading of the octets.
fn fields(message: &Message<'_>, tlvs: &[Tlv<'_>], length: usize) -> Fields {
    let header = &message.header;
    let mut fields = Fields::new();
    let mut one = |field, value: i128| assert!(fields.insert(field, vec![value]).is_none(), "{field}");
    one("ptp.v2.messagetype", message.body.message_type().nibble().into());
    one("ptp.v2.messagelength", length as i128);
    one("ptp.v2.versionptp", 2);
    one("ptp.v2.minorversionptp", header.minor_version.into());
    one("ptp.v2.majorsdoid", (header.sdo_id >> 8).into());
    one("ptp.v2.minorsdoid", (header.sdo_id & 0xff).into());
    one("ptp.v2.domainnumber", header.domain_number.into());
    one("ptp.v2.flags", header.flags.0.into());
    one("ptp.v2.flags.unicast", header.flags.contains(Flags::UNICAST).into());
    one("ptp.v2.flags.twostep", header.flags.contains(Flags::TWO_STEP).into());
    one("ptp.v2.flags.timescale", header.flags.contains(Flags::PTP_TIMESCALE).into());
    one("ptp.v2.correction.ns", (header.correction_field.scaled() >> 16).into());
    one("ptp.v2.clockidentity", identity(header.source_port_identity.clock_identity));
    one("ptp.v2.sourceportid", header.source_port_identity.port_number.into());
    one("ptp.v2.sequenceid", header.sequence_id.into());
    one("ptp.v2.controlfield", header.control_field.into());
    one("ptp.v2.logmessageperiod", header.log_message_interval.into());
    match message.body {
        Body::Sync { origin_timestamp } | Body::DelayReq { origin_timestamp } => {
            one("ptp.v2.sdr.origintimestamp.seconds", origin_timestamp.seconds().into());
            one("ptp.v2.sdr.origintimestamp.nanoseconds", origin_timestamp.nanoseconds().into());
        }
        Body::FollowUp { precise_origin_timestamp } => {
            one("ptp.v2.fu.preciseorigintimestamp.seconds", precise_origin_timestamp.seconds().into());
            one(
                "ptp.v2.fu.preciseorigintimestamp.nanoseconds",
                precise_origin_timestamp.nanoseconds().into(),
            );
        }
        Body::DelayResp { receive_timestamp, requesting_port_identity } => {
            one("ptp.v2.dr.receivetimestamp.seconds", receive_timestamp.seconds().into());
            one("ptp.v2.dr.receivetimestamp.nanoseconds", receive_timestamp.nanoseconds().into());
            let requester = requesting_port_identity;
            one("ptp.v2.dr.requestingsourceportidentity", identity(requester.clock_identity));
            one("ptp.v2.dr.requestingsourceportid", requester.port_number.into());
        }
        Body::Announce(announce) => {
            let quality = announce.grandmaster_clock_quality;
            one("ptp.v2.an.origintimestamp.seconds", announce.origin_timestamp.seconds().into());
            one("ptp.v2.an.origintimestamp.nanoseconds", announce.origin_timestamp.nanoseconds().into());
            one("ptp.v2.an.origincurrentutcoffset", announce.current_utc_offset.into());
            one("ptp.v2.an.priority1", announce.grandmaster_priority1.into());
            one("ptp.v2.an.grandmasterclockclass", quality.clock_class.into());
            one("ptp.v2.an.grandmasterclockaccuracy", quality.clock_accuracy.into());
            one("ptp.v2.an.grandmasterclockvariance", quality.offset_scaled_log_variance.into());
            one("ptp.v2.an.priority2", announce.grandmaster_priority2.into());
            one("ptp.v2.an.grandmasterclockidentity", identity(announce.grandmaster_identity));
            one("ptp.v2.an.localstepsremoved", announce.steps_removed.into());
            one("ptp.v2.timesource", announce.time_source.into());
        }
        Body::Signaling { target_port_identity } => {
            one("ptp.v2.sig.targetportidentity", identity(target_port_identity.clock_identity));
            one("ptp.v2.sig.targetportid", target_port_identity.port_number.into());
            for tlv in tlvs {
                add_tlv(&mut fields, tlv);
            }
        }
        Body::Management(management) => {
            one("ptp.v2.mm.targetportidentity", identity(management.target_port_identity.clock_identity));
            one("ptp.v2.mm.targetportid", management.target_port_identity.port_number.into());
            one("ptp.v2.mm.startingboundaryhops", management.starting_boundary_hops.into());
            one("ptp.v2.mm.boundaryhops", management.boundary_hops.into());
            one("ptp.v2.mm.action", management.action.into());
            one("ptp.v2.mm.tlvType", 1);
            one("ptp.v2.mm.lengthField", 2);
        }
    }
    fields
}

/// Every TLV of unicast negotiation adds an occurrence of the fields that it has.
fn add_tlv(fields: &mut Fields, tlv: &Tlv<'_>) {
    let mut more = |field, value: i128| fields.entry(field).or_default().push(value);
    let (tlv_type, message_type) = match tlv {
        Tlv::RequestUnicast(request) => (4, request.message_type),
        Tlv::GrantUnicast(grant) => (5, grant.message_type),
        Tlv::CancelUnicast(cancel) => (6, cancel.message_type),
        Tlv::AcknowledgeCancelUnicast(cancel) => (7, cancel.message_type),
        Tlv::PathTrace(_) | Tlv::Unknown { .. } => unreachable!("the messages of this test have none"),
    };
    more("ptp.v2.sig.tlv.tlvType", tlv_type);
    more("ptp.v2.sig.tlv.lengthField", tlv.buffer_len() as i128 - 4);
    more("ptp.v2.sig.tlv.messageType", message_type.nibble().into());
    if let Tlv::RequestUnicast(RequestUnicast { log_inter_message_period, duration_field, .. })
    | Tlv::GrantUnicast(GrantUnicast { log_inter_message_period, duration_field, .. }) = tlv
    {
        more("ptp.v2.sig.tlv.logInterMessagePeriod", (*log_inter_message_period).into());
        more("ptp.v2.sig.tlv.durationField", (*duration_field).into());
    }
    if let Tlv::GrantUnicast(grant) = tlv {
        more("ptp.v2.sig.tlv.renewalInvited", grant.renewal_invited.into());
    }
}

struct Decoded {
    /// Malformed marks and expert information, checksums included.
    complaints: String,
    fields: BTreeMap<String, String>,
}

fn tshark(pcap: &std::path::Path, fields: &[&str]) -> Vec<Decoded> {
    let mut command = Command::new("tshark");
    // Without name resolution and preferences of whoever runs the test.
    command.arg("-r").arg(pcap).args(["-n", "-T", "fields", "-E", "separator=/t", "-E", "aggregator=,"]);
    command.args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]);
    let complaints = ["_ws.malformed", "_ws.expert.message"];
    for field in complaints.iter().chain(fields) {
        command.args(["-e", field]);
    }
    command.env("HOME", pcap.parent().unwrap()).env_remove("XDG_CONFIG_HOME");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let mut cells = line.split('\t').map(str::to_owned);
            let complaints = cells.by_ref().take(complaints.len()).collect::<Vec<_>>().concat();
            let names = fields.iter().map(|field| (*field).to_owned());
            Decoded { complaints, fields: names.zip(cells).collect() }
        })
        .collect()
}

/// Decimal, hexadecimal and truth values, as the versions of tshark print them.
fn numbers(cell: &str) -> Vec<i128> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).unwrap(),
        None if text == "True" => 1,
        None if text == "False" => 0,
        None => text.parse().unwrap(),
    };
    cell.split(',').map(number).collect()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Network {
    V4,
    V6,
}

/// Little-endian, microseconds, Ethernet.
fn pcap_header() -> Vec<u8> {
    let mut pcap = Vec::new();
    pcap.extend(0xa1b2_c3d4_u32.to_le_bytes());
    pcap.extend(2_u16.to_le_bytes());
    pcap.extend(4_u16.to_le_bytes());
    for word in [0_u32, 0, 0xffff, 1] {
        pcap.extend(word.to_le_bytes());
    }
    pcap
}

fn append_frame(pcap: &mut Vec<u8>, seconds: u32, frame: &[u8]) {
    let length = frame.len() as u32;
    for word in [seconds, 0, length, length] {
        pcap.extend(word.to_le_bytes());
    }
    pcap.extend(frame);
}

fn frame(network: Network, port: u16, payload: &[u8]) -> Vec<u8> {
    let udp_length = (8 + payload.len()) as u16;
    let addresses: Vec<u8> = match network {
        Network::V4 => [[192, 0, 2, 1], [192, 0, 2, 2]].concat(),
        Network::V6 => {
            let address = |last| [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
            [address(1), address(2)].concat()
        }
    };
    let mut udp = Vec::new();
    for field in [port, port, udp_length, 0] {
        udp.extend(field.to_be_bytes());
    }
    udp.extend(payload);
    let pseudo_header = [&addresses[..], &[0, 17], &udp_length.to_be_bytes()].concat();
    let checksum = checksum(&[&pseudo_header[..], &udp].concat());
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = vec![0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1];
    match network {
        Network::V4 => {
            let total_length = (20 + udp_length).to_be_bytes();
            let mut ip = vec![0x45, 56 << 2, total_length[0], total_length[1], 0, 0, 0x40, 0, 64, 17, 0, 0];
            ip.extend(&addresses);
            let checksum = self::checksum(&ip);
            ip[10..12].copy_from_slice(&checksum.to_be_bytes());
            frame.extend([0x08, 0x00]);
            frame.extend(ip);
        }
        Network::V6 => {
            frame.extend([0x86, 0xdd, 0x6e, 0, 0, 0]);
            frame.extend(udp_length.to_be_bytes());
            frame.extend([17, 64]);
            frame.extend(&addresses);
        }
    }
    frame.extend(udp);
    frame
}

/// The Internet checksum (RFC 1071); never 0, which UDP would take for none.
fn checksum(octets: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in octets.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        checksum => checksum,
    }
}
