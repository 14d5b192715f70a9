use super::namespace::{Peer, ip, isolated};
use crate::net::holder::inodes;
use crate::net::hwtstamp::HardwareStamps;
use crate::net::{
    NetError, driver, interface_addresses, interface_index, interface_mac, netns_inode, timestamping,
};
use std::net::IpAddr;

#[test]
fn addresses_and_numbers() {
    isolated("addresses_and_numbers", async || {
        let _peer = Peer::new();
        ip("link set near address 02:00:00:00:00:07");
        let expected: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "fe80::1".parse().unwrap()];
        assert_eq!(interface_addresses("near").unwrap(), expected);
        assert_eq!(interface_mac("near").unwrap(), [2, 0, 0, 0, 0, 7]);
        assert_eq!(interface_index("lo").unwrap(), 1);
        assert_eq!(driver("near").unwrap(), "veth");
    });
}

#[test]
fn a_namespace_has_a_number_of_its_own() {
    let outside = netns_inode().unwrap();
    isolated("a_namespace_has_a_number_of_its_own", async move || {
        assert_ne!(netns_inode().unwrap(), outside);
    });
    assert_eq!(netns_inode().unwrap(), outside);
}

#[test]
fn a_missing_interface_is_named() {
    let name = "no-such-if0";
    for error in [
        interface_addresses(name).unwrap_err(),
        interface_mac(name).unwrap_err(),
        interface_index(name).unwrap_err(),
        timestamping(name).unwrap_err(),
        driver(name).unwrap_err(),
        timestamping("longer-than-any-interface").unwrap_err(),
    ] {
        assert!(matches!(error, NetError::NoInterface { .. }), "{error}");
    }
    assert!(interface_index(name).unwrap_err().to_string().contains("no-such-if0"));
}

#[test]
fn loopback_has_software_stamps_only() {
    isolated("loopback_has_software_stamps_only", async || {
        let info = timestamping("lo").unwrap();
        assert!(info.tx_software && info.rx_software, "{info:?}");
        assert!(!info.hardware() && !info.tx_hardware && info.phc_index.is_none(), "{info:?}");
    });
}

#[test]
fn hardware_stamps_that_are_not_there_say_so() {
    isolated("hardware_stamps_that_are_not_there_say_so", async || {
        let error = HardwareStamps::enable("lo").unwrap_err();
        assert!(matches!(error, NetError::NoHardwareStamps { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("lo has no hardware timestamps") && message.contains("clock"), "{message}");
        let error = HardwareStamps::enable("no-such-if0").unwrap_err();
        assert!(matches!(error, NetError::NoInterface { .. }), "{error}");
    });
}

#[test]
fn the_kernels_table_of_sockets_is_read_by_port() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref\n\
        1: 00000000:013F 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n\
        2: 00000000000000000000000000000000:0140 00000000000000000000000000000000:0000 07 0:0 0:0 0 0 0 4712 2 0 0\n\
        3: 0100007F:013F 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4713 2 0 0\n\
        4: broken\n";
    assert_eq!(inodes(table, 319), [4711, 4713]);
    assert_eq!(inodes(table, 320), [4712]);
    assert_eq!(inodes(table, 321), [] as [u64; 0]);
}
