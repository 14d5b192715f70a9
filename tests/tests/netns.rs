//! Our real programs on real interfaces, over a router.

use ptp_tests::netns::{Family, Plane, World};
use ptp_tests::{Need, have};

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip")];

/// What the other tests here build on: the router forwards, and it can drop without telling anybody.
#[test]
fn the_router_forwards_and_drops_in_silence() {
    if !have("the_router_forwards_and_drops_in_silence", NEEDS) {
        return;
    }
    let world = World::new(&["server", "client"]).unwrap();
    let [server, client] = world.hosts() else { unreachable!("two names were given") };
    for plane in [Plane::Ours, Plane::Peer] {
        for family in [Family::V4, Family::V6] {
            let case = format!("{plane:?} {family:?}");
            assert!(client.reaches(server, plane, family).unwrap(), "{case}");
            let before = world.router().unreachables_sent().unwrap();
            let address = server.address(plane, family);
            world.router().blackhole(address).unwrap();
            assert!(!client.reaches(server, plane, family).unwrap(), "{case}: to the server");
            assert!(!server.reaches(client, plane, family).unwrap(), "{case}: from the server");
            assert_eq!(world.router().unreachables_sent().unwrap(), before, "{case}: it told somebody");
            world.router().restore(address).unwrap();
            assert!(client.reaches(server, plane, family).unwrap(), "{case}: restored");
        }
    }
}
