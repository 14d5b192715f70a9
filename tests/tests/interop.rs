//! Together with linuxptp, over the router.

use ptp_tests::netns::{Family, Plane, World};
use ptp_tests::peers::{PTP4L, Ptp4l, Rates, Reading};
use ptp_tests::{Need, have};
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::Program(PTP4L)];

/// The world carries PTP and the peer works in it: without this, the other tests here say nothing.
#[test]
fn ptp4l_works_with_itself() {
    if !have("ptp4l_works_with_itself", NEEDS) {
        return;
    }
    let world = World::new(&["server", "client"]).unwrap();
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    for family in [Family::V4, Family::V6] {
        let _server = Ptp4l::server(server_host, Plane::Peer, family, 128).unwrap();
        let servers = [server_host.address(Plane::Peer, family)];
        let client = Ptp4l::client(client_host, Plane::Peer, family, &servers, Rates::default()).unwrap();
        let offset = client.process.wait_for("an offset", Duration::from_secs(40), |line| {
            match Reading::parse(&line.text)? {
                Reading::Offset { offset_ns, .. } => Some(offset_ns),
                _ => None,
            }
        });
        let offset = offset.unwrap();
        assert!(offset.abs() < 100_000.0, "{family:?}: {offset} ns");
    }
}
