use super::*;
use ptp_common::wire::ClockIdentity;
use std::net::Ipv4Addr;

const NOW: Instant = Instant::from_nanos(5_000_000_000);

fn key(number: u32) -> Key {
    let identity = ClockIdentity(u64::from(number).to_be_bytes());
    (Ipv4Addr::from(number).into(), PortIdentity { clock_identity: identity, port_number: 1 })
}

fn clients() -> Clients {
    Clients::new(1, 16)
}

#[test]
fn a_client_is_small() {
    assert!(size_of::<Option<Client>>() <= 128, "{}", size_of::<Option<Client>>());
}

#[test]
fn many_are_found_counted_and_forgotten() {
    let mut clients = clients();
    for number in 0..5_000 {
        for service in Service::ALL {
            assert!(clients.grant(NOW, key(number), service, 0, 60 + number).1);
        }
    }
    assert_eq!((clients.len(), clients.granted(Service::Sync)), (5_000, 5_000));
    assert!(!clients.grant(NOW, key(7), Service::Sync, 0, 67).1);
    for number in (0..5_000).step_by(2) {
        let id = clients.find(key(number)).expect("is there");
        for service in Service::ALL {
            clients.revoke(id, service);
        }
        assert_eq!(clients.find(key(number)), None);
    }
    assert_eq!((clients.len(), clients.granted(Service::Announce)), (2_500, 2_500));
    // A place that was another's.
    let id = clients.find(key(1)).expect("is there");
    clients.grant(NOW, key(9_000), Service::Sync, 0, 60);
    assert_eq!(clients.get(id).map(|client| client.key), Some(key(1)));
    let mut left = 0;
    while clients.take_any().is_some() {
        left += 1;
    }
    assert_eq!((left, clients.len()), (2_501, 0));
}

#[test]
fn renewals_put_the_end_off() {
    let mut clients = clients();
    let id = {
        clients.grant(NOW, key(1), Service::DelayResp, 0, 60);
        clients.find(key(1)).expect("is there")
    };
    let later = NOW + Duration::from_secs(50);
    clients.grant(later, key(1), Service::DelayResp, 0, 60);
    assert!(clients.pop(NOW + Duration::from_secs(109)).is_none());
    assert!(clients.next_deadline().is_some());
    let due = clients.pop(later + Duration::from_secs(60));
    assert!(matches!(due, Some(Due::Expired { client, service: Service::DelayResp }) if client == id));
}

#[test]
fn announces_come_first_when_they_are_hastened() {
    let mut clients = clients();
    for number in 0..3 {
        clients.grant(NOW, key(number), Service::Sync, 0, 60);
        clients.grant(NOW, key(number), Service::Announce, 0, 60);
    }
    let later = NOW + Duration::from_secs(10);
    clients.hasten_announce();
    let services: Vec<_> = std::iter::from_fn(|| clients.pop(later))
        .map(|due| match due {
            Due::Send { service, .. } => service,
            Due::Expired { .. } => panic!("nothing ends"),
        })
        .collect();
    let announce = Service::Announce;
    assert_eq!(services, [announce, announce, announce, Service::Sync, Service::Sync, Service::Sync]);
}
