//! Data sets beside their octets, written by hand from the tables of the standard and from what linuxptp's pmc reads.

use super::super::management::*;
use super::*;
use std::vec::Vec;

const CLOCK: ClockIdentity = ClockIdentity([0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]);
const PORT: PortIdentity = PortIdentity { clock_identity: CLOCK, port_number: 0x0102 };
const QUALITY: ClockQuality =
    ClockQuality { clock_class: 6, clock_accuracy: 0x21, offset_scaled_log_variance: 0x4e5d };
const PORT_OCTETS: [u8; 10] = [0x00, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55, 0x01, 0x02];

/// Both ways; and a data set that is too short or too long is none.
#[track_caller]
fn check(data: &[u8], data_set: DataSet<'_>) {
    let id = data_set.management_id();
    assert_eq!(DataSet::parse(id, data), Ok(data_set));
    assert_eq!(data_set.buffer_len(), data.len());
    let mut octets = [0x55; 512];
    let Tlv::Unknown { tlv_type: 1, value } = ManagementTlv::of_data_set(&data_set, &mut octets).unwrap()
    else {
        panic!("no MANAGEMENT TLV");
    };
    assert_eq!(value[..2], id.to_be_bytes());
    assert_eq!(&value[2..], data);
    let tlv = Tlv::Unknown { tlv_type: 1, value };
    assert_eq!(ManagementTlv::of(&tlv), Some(ManagementTlv { management_id: id, data }));
    for length in 0..data.len() {
        assert!(DataSet::parse(id, &data[..length]).is_err(), "{length}");
    }
    let longer: Vec<u8> = data.iter().copied().chain([0, 0]).collect();
    assert_eq!(DataSet::parse(id, &longer), Err(DataSetError::Length));
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn clock_data_sets() {
    check(&[], DataSet::Null);
    check(
        &join(&[&[0x03, 0x00, 0x00, 0x02, 0x80, 0x06, 0x21, 0x4e, 0x5d, 0x7f], &CLOCK.0, &[44, 0]]),
        DataSet::Default(DefaultDs {
            two_step: true,
            slave_only: true,
            number_ports: 2,
            priority1: 128,
            clock_quality: QUALITY,
            priority2: 127,
            clock_identity: CLOCK,
            domain_number: 44,
        }),
    );
    check(
        &[
            0x00, 0x03, // stepsRemoved
            0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0x80, 0x00, // offsetFromMaster -1.5 ns
            0x00, 0x00, 0x00, 0x00, 0x00, 0x64, 0x00, 0x00, // meanPathDelay 100 ns
        ],
        DataSet::Current(CurrentDs {
            steps_removed: 3,
            offset_from_master: -0x1_8000,
            mean_path_delay: 0x64_0000,
        }),
    );
    let parent: &[u8] = &[
        0x00, 0x00, // parentStats; reserved
        0xff, 0xff, // observedParentOffsetScaledLogVariance
        0x7f, 0xff, 0xff, 0xff, // observedParentClockPhaseChangeRate
        0x80, 0x06, 0x21, 0x4e, 0x5d,
        0x7f, // grandmasterPriority1, grandmasterClockQuality, grandmasterPriority2
    ];
    check(
        &join(&[&PORT_OCTETS, parent, &CLOCK.0]),
        DataSet::Parent(ParentDs {
            parent_port_identity: PORT,
            parent_stats: false,
            observed_parent_offset_scaled_log_variance: 0xffff,
            observed_parent_clock_phase_change_rate: 0x7fff_ffff,
            grandmaster_priority1: 128,
            grandmaster_clock_quality: QUALITY,
            grandmaster_priority2: 127,
            grandmaster_identity: CLOCK,
        }),
    );
    check(
        &[0x00, 0x25, 0x1c, 0x20],
        DataSet::TimeProperties(TimePropertiesDs {
            current_utc_offset: 37,
            flags: Flags::CURRENT_UTC_OFFSET_VALID.with(Flags::PTP_TIMESCALE).with(Flags::TIME_TRACEABLE),
            time_source: 0x20,
        }),
    );
    let times: &[u8] = &[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf9, // master_offset -7 ns
        0x17, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, // ingress_time
    ];
    check(
        &join(&[times, &[0; 22], &[0, 0, 0, 1], &CLOCK.0]),
        DataSet::TimeStatus(TimeStatusNp {
            master_offset: -7,
            ingress_time: 0x1700_0000_0000_0001,
            gm_present: true,
            gm_identity: CLOCK,
        }),
    );
}

#[test]
fn port_data_sets() {
    let port: &[u8] = &[
        0x09, 0xfd, // portState SLAVE; logMinDelayReqInterval -3
        0, 0, 0, 0, 0, 0, 0, 0, // peerMeanPathDelay
        0x01, 0x03, 0xfc, // logAnnounceInterval 1, announceReceiptTimeout 3, logSyncInterval -4
        0x01, 0x00, 0x12, // E2E; logMinPdelayReqInterval; minorVersionNumber 1, versionNumber 2
    ];
    check(
        &join(&[&PORT_OCTETS, port]),
        DataSet::Port(PortDs {
            port_identity: PORT,
            port_state: PortState::Slave,
            log_min_delay_req_interval: -3,
            log_announce_interval: 1,
            announce_receipt_timeout: 3,
            log_sync_interval: -4,
            minor_version: 1,
        }),
    );
    let mut octets = PORT_OCTETS.to_vec();
    let (mut received, mut sent) = ([0; 16], [0; 16]);
    for (index, counter) in received.iter_mut().chain(&mut sent).enumerate() {
        *counter = 0x0100 + index as u64;
        octets.extend([index as u8, 1, 0, 0, 0, 0, 0, 0]);
    }
    check(&octets, DataSet::PortStats(PortStatsNp { port_identity: PORT, received, sent }));
}

#[test]
fn unicast_master_table() {
    check(&[0, 0], DataSet::UnicastMasterTable(UnicastMasterTableNp::default()));
    let servers = [
        UnicastMaster {
            port_identity: PORT,
            clock_quality: QUALITY,
            selected: true,
            state: UnicastState::HaveSyncAndDelay,
            priority1: 128,
            priority2: 127,
            address: "192.0.2.1".parse().unwrap(),
        },
        UnicastMaster {
            port_identity: PortIdentity::default(),
            clock_quality: QUALITY,
            selected: false,
            state: UnicastState::Wait,
            priority1: 1,
            priority2: 2,
            address: "2001:db8::7".parse().unwrap(),
        },
    ];
    let mut buffer = [0; 64];
    let table = UnicastMasterTableNp::new(&servers, &mut buffer).unwrap();
    assert!(table.iter().eq(servers));
    let quality = [0x06, 0x21, 0x4e, 0x5d];
    let v6 = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    let octets = join(&[
        &[0x00, 0x02], // actual_table_size
        &PORT_OCTETS,
        &quality,
        &[1, 3, 128, 127], // selected, state, priority1, priority2
        &[0, 1, 0, 4, 192, 0, 2, 1],
        &[0; 10],
        &quality,
        &[0, 0, 1, 2],
        &[0, 2, 0, 16],
        &v6,
    ]);
    check(&octets, DataSet::UnicastMasterTable(table));
    assert_eq!(UnicastMasterTableNp::new(&servers, &mut [0; 63]), Err(EmitError::BufferTooSmall));
    let mut wrong = octets;
    wrong[21] = 16; // addressLength of an IPv4 address
    assert_eq!(DataSet::parse(0xc008, &wrong), Err(DataSetError::Reserved));
}

#[test]
fn reserved_values_and_unknown_ids_are_no_data_set() {
    assert_eq!(DataSet::parse(0x2005, &[128, 0]), Err(DataSetError::UnknownId));
    let mut port = join(&[&PORT_OCTETS, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 2]]);
    assert!(DataSet::parse(0x2004, &port).is_ok());
    port[10] = 10;
    assert_eq!(DataSet::parse(0x2004, &port), Err(DataSetError::Reserved));
}

#[test]
fn error_status() {
    let octets = [0x00, 0x05, 0x20, 0x05, 0, 0, 0, 0];
    let error = ManagementError { error_id: ManagementError::NOT_SETABLE, management_id: 0x2005 };
    let mut buffer = [0x55; 8];
    let tlv = error.to_tlv(&mut buffer);
    assert_eq!(tlv, Tlv::Unknown { tlv_type: 2, value: &octets });
    assert_eq!(ManagementError::of(&tlv), Some(error));
    assert_eq!(ManagementTlv::of(&tlv), None);
    assert_eq!(ManagementError::of(&Tlv::Unknown { tlv_type: 2, value: &octets[..6] }), None);
    assert_eq!(ManagementTlv::of(&Tlv::Unknown { tlv_type: 1, value: &[] }), None);
}
