use super::namespace::{Peer, ip, isolated};
use crate::net::{NetError, Ready, SocketConfig, Sockets, TX_STAMP_TIMEOUT_SOFTWARE};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use ptp_common::net::Channel;
use ptp_common::time::{RawStamp, StampSource};
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};
use tokio::time::{sleep, timeout};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(5);

const LO4: &str = "127.0.0.1";
const LO6: &str = "::1";
/// The kernel refuses to send there: these sockets do not broadcast. (Without a route, a socket bound to an interface
/// takes any IPv4 destination for a neighbour.)
const NOWHERE: &str = "255.255.255.255";

fn config(interface: &str) -> SocketConfig {
    SocketConfig {
        interfaces: vec![interface.to_owned()],
        local_addresses: Vec::new(),
        dscp: 56,
        ipv4: true,
        ipv6: true,
        rx_stamps: false,
        hardware: false,
    }
}

fn open(interface: &str) -> Sockets<u32> {
    Sockets::open(&config(interface)).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn realtime() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

fn send_event(sockets: &mut Sockets<u32>, to: &str, token: u32) {
    sockets.send(address(to), Channel::Event, b"event", Some(token), Instant::now()).unwrap();
}

fn taken(sockets: &mut Sockets<u32>, now: Instant) -> Vec<(u32, Option<RawStamp>)> {
    let mut taken = Vec::new();
    sockets.take_sent(now, |token, stamp| taken.push((token, stamp)));
    taken
}

/// Waits until that many tokens are back.
async fn wait_taken(sockets: &mut Sockets<u32>, count: usize) -> Vec<(u32, Option<RawStamp>)> {
    let mut all = Vec::new();
    let wait = async {
        while all.len() < count {
            let deadline = sockets.next_deadline();
            let pause =
                deadline.map_or(PATIENCE, |deadline| deadline.saturating_duration_since(Instant::now()));
            let _ = timeout(pause, sockets.ready()).await;
            all.extend(taken(sockets, Instant::now()));
            sockets.receive(|_| {});
        }
    };
    timeout(PATIENCE, wait).await.expect("tokens come back");
    all
}

#[test]
fn a_family_can_be_opened_later() {
    isolated("a_family_can_be_opened_later", async || {
        let mut sockets = Sockets::open(&SocketConfig { ipv6: false, ..config("lo") }).unwrap();
        let refused = sockets.send(address(LO6), Channel::Event, b"event", Some(1), Instant::now());
        assert!(matches!(refused, Err((NetError::FamilyNotOpen { .. }, Some(1)))));
        for to in [LO4, LO6, LO6] {
            sockets.open_for(address(to)).unwrap();
            send_event(&mut sockets, to, 2);
            assert!(matches!(wait_taken(&mut sockets, 1).await[..], [(2, Some(_))]));
        }
    });
}

#[test]
fn every_token_comes_back_with_the_stamp_of_its_packet() {
    isolated("every_token_comes_back_with_the_stamp_of_its_packet", async || {
        let mut sockets = open("lo");
        for round in 0..400 {
            for (family, to) in [LO4, LO6].into_iter().enumerate() {
                let token = 2 * round + family as u32;
                let before = realtime();
                send_event(&mut sockets, to, token);
                let back = wait_taken(&mut sockets, 1).await;
                let after = realtime();
                let (same, Some(stamp)) = back[0] else { panic!("token {token} lost its stamp") };
                assert_eq!((back.len(), same, stamp.source), (1, token, StampSource::SocketSw));
                assert!((before..=after).contains(&stamp.nanos), "{before} {} {after}", stamp.nanos);
            }
        }
        let counters = sockets.counters();
        assert_eq!((counters.sent, counters.tx_stamps), (800, 800));
        assert_eq!((counters.tx_stamps_lost, counters.tx_stamps_unmatched, counters.tx_late), (0, 0, 0));
        assert_eq!(sockets.next_deadline(), None);
    });
}

#[test]
fn a_burst_loses_no_stamp() {
    isolated("a_burst_loses_no_stamp", async || {
        let mut sockets = open("lo");
        for token in 0..1000 {
            send_event(&mut sockets, if token % 3 == 0 { LO6 } else { LO4 }, token);
        }
        let mut back = wait_taken(&mut sockets, 1000).await;
        back.sort_by_key(|(token, _)| *token);
        assert!(back.iter().map(|(token, _)| *token).eq(0..1000), "each token exactly once");
        let stamps: Vec<u64> = back.iter().map(|(_, stamp)| stamp.unwrap().nanos).collect();
        assert!(stamps.is_sorted(), "stamps in the order of sending");
    });
}

#[test]
fn packets_without_a_token_disturb_no_other() {
    isolated("packets_without_a_token_disturb_no_other", async || {
        let mut sockets = open("lo");
        let now = Instant::now();
        for token in 0..50 {
            sockets.send(address(LO4), Channel::Event, b"untold", None, now).unwrap();
            sockets.send(address(LO4), Channel::General, b"general", None, now).unwrap();
            send_event(&mut sockets, LO4, token);
        }
        let back = wait_taken(&mut sockets, 50).await;
        assert!(back.iter().map(|(token, _)| *token).eq(0..50));
        assert!(back.iter().all(|(_, stamp)| stamp.is_some()));
        assert_eq!(sockets.counters().tx_stamps_unmatched, 0);
        // On the general channel there is nothing to wait for.
        sockets.send(address(LO4), Channel::General, b"general", Some(50), now).unwrap();
        assert_eq!(taken(&mut sockets, now), [(50, None)]);
    });
}

#[test]
fn received_datagrams_carry_stamps_where_wanted() {
    isolated("received_datagrams_carry_stamps_where_wanted", async || {
        let mut sockets: Sockets<u32> =
            Sockets::open(&SocketConfig { rx_stamps: true, ..config("lo") }).unwrap();
        for to in [LO4, LO6] {
            // The kernel starts to stamp a moment after the first socket asks for it.
            let stamp = loop {
                let before = realtime();
                for channel in [Channel::Event, Channel::General] {
                    sockets.send(address(to), channel, b"payload", None, Instant::now()).unwrap();
                }
                let mut stamps = Vec::new();
                while stamps.len() < 2 {
                    timeout(PATIENCE, sockets.ready()).await.unwrap().unwrap();
                    sockets.take_sent(Instant::now(), |_, _| {});
                    sockets.receive(|datagram| {
                        let padded = if datagram.from.is_ipv6() { &b"payload\0\0"[..] } else { b"payload" };
                        assert_eq!((datagram.octets, datagram.from), (padded, address(to)));
                        stamps.push((datagram.channel, datagram.stamp));
                    });
                }
                let after = realtime();
                assert_eq!(stamps[1], (Channel::General, None));
                assert_eq!(stamps[0].0, Channel::Event);
                if let Some(stamp) = stamps[0].1 {
                    assert!((before..=after).contains(&stamp.nanos));
                    break stamp;
                }
            };
            assert_eq!(stamp.source, StampSource::SocketSw);
        }
        // Now the kernel stamps all packets; sockets that did not ask must not show it.
        drop(sockets);
        let peer = Peer::new();
        let _stamping: Sockets<u32> =
            Sockets::open(&SocketConfig { rx_stamps: true, ..config("near") }).unwrap();
        let mut plain = open("lo");
        sleep(Duration::from_millis(50)).await;
        plain.send(address(LO4), Channel::Event, b"payload", None, Instant::now()).unwrap();
        let mut count = 0;
        while count == 0 {
            timeout(PATIENCE, plain.ready()).await.unwrap().unwrap();
            plain.take_sent(Instant::now(), |_, _| {});
            plain.receive(|datagram| {
                assert_eq!(datagram.stamp, None);
                count += 1;
            });
        }
        drop(peer);
    });
}

#[test]
fn a_lost_stamp_costs_one_token_and_a_late_one_is_counted() {
    isolated("a_lost_stamp_costs_one_token_and_a_late_one_is_counted", async || {
        let peer = Peer::new();
        let mut sockets = open("near");
        let now = Instant::now();
        // Nobody answers for .9: the packet waits in the kernel for its neighbour, and is not stamped.
        send_event(&mut sockets, "10.0.0.9", 1);
        send_event(&mut sockets, "10.0.0.2", 2);
        let back = wait_taken(&mut sockets, 1).await;
        assert!(matches!(back[..], [(2, Some(_))]), "{back:?}");
        let deadline = sockets.next_deadline().unwrap();
        assert!(deadline >= now + TX_STAMP_TIMEOUT_SOFTWARE);
        assert_eq!(taken(&mut sockets, deadline - Duration::from_millis(1)), []);
        assert_eq!(taken(&mut sockets, deadline), [(1, None)]);
        assert_eq!(sockets.next_deadline(), None);
        // The neighbour appears, the packet leaves, its stamp is late.
        ip("neighbour replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev near");
        timeout(PATIENCE, sockets.ready()).await.unwrap().unwrap();
        assert_eq!(taken(&mut sockets, Instant::now()), []);
        let counters = sockets.counters();
        assert_eq!((counters.tx_stamps, counters.tx_stamps_lost, counters.tx_late), (1, 1, 1));
        // The port goes on.
        send_event(&mut sockets, "10.0.0.9", 3);
        assert!(matches!(wait_taken(&mut sockets, 1).await[..], [(3, Some(_))]));
        drop(peer);
    });
}

#[test]
fn a_stamp_alone_wakes_the_waiting() {
    isolated("a_stamp_alone_wakes_the_waiting", async || {
        let peer = Peer::new();
        let mut sockets = open("near");
        assert!(timeout(Duration::from_millis(20), sockets.ready()).await.is_err(), "nothing there yet");
        for host in 10..15 {
            send_event(&mut sockets, &format!("10.0.0.{host}"), host);
            let resolve = async {
                sleep(Duration::from_millis(10)).await;
                ip(&format!("neighbour replace 10.0.0.{host} lladdr 02:00:00:00:00:02 dev near"));
            };
            let (ready, ()) = tokio::join!(timeout(PATIENCE, sockets.ready()), resolve);
            assert_eq!(ready.expect("woken").unwrap(), Ready { received: false, sent: true });
            let back = taken(&mut sockets, Instant::now());
            assert!(matches!(back[..], [(token, Some(_))] if token == host), "{back:?}");
            assert!(timeout(Duration::from_millis(20), sockets.ready()).await.is_err(), "drained");
        }
        drop(peer);
    });
}

#[test]
fn after_a_failed_send_tokens_match_again() {
    isolated("after_a_failed_send_tokens_match_again", async || {
        let peer = Peer::new();
        let mut sockets = open("near");
        for round in 0..20 {
            send_event(&mut sockets, "10.0.0.9", 1000 + round);
            send_event(&mut sockets, "10.0.0.2", 2000 + round);
            // A packet that only the kernel counts, as after a send that failed half way.
            sockets.families[0].event.send(address("10.0.0.2"), b"uncounted").unwrap();
            let failed = sockets.send(address(NOWHERE), Channel::Event, b"x", Some(round), Instant::now());
            let (error, token) = failed.unwrap_err();
            assert_eq!(token, Some(round));
            assert!(matches!(error, NetError::Send { .. }), "{error}");
            // What was stamped keeps its stamp; what was under way is given up, once.
            let back = wait_taken(&mut sockets, 2).await;
            let lost = |wanted: u32| back.iter().find(|(token, _)| *token == wanted).unwrap().1.is_none();
            assert!(lost(1000 + round) && !lost(2000 + round), "{back:?}");
            // One packet was on its way, so one new count is in doubt for as long as its stamp may come.
            sleep(TX_STAMP_TIMEOUT_SOFTWARE).await;
            for token in 3000..3010 {
                let before = realtime();
                send_event(&mut sockets, "10.0.0.2", token);
                let back = wait_taken(&mut sockets, 1).await;
                let [(same, Some(stamp))] = back[..] else { panic!("{back:?}") };
                assert_eq!(same, token);
                assert!((before..=realtime()).contains(&stamp.nanos));
            }
            ip("neighbour flush dev near nud failed nud incomplete");
        }
        let counters = sockets.counters();
        assert_eq!((counters.send_errors, counters.tx_resyncs), (20, 20));
        drop(peer);
    });
}

#[test]
fn failed_sends_to_one_peer_cost_the_others_nothing() {
    isolated("failed_sends_to_one_peer_cost_the_others_nothing", async || {
        let mut sockets = open("lo");
        for token in 0..100 {
            send_event(&mut sockets, LO4, token);
            let now = Instant::now();
            sockets.send(address(NOWHERE), Channel::Event, b"x", None, now).unwrap_err();
            sockets.send(address("2001:db8::1"), Channel::General, b"x", None, now).unwrap_err();
        }
        let back = wait_taken(&mut sockets, 100).await;
        assert!(back.iter().map(|(token, _)| *token).eq(0..100));
        assert!(back.iter().all(|(_, stamp)| stamp.is_some()));
    });
}

#[test]
fn errors_from_the_network_are_counted_and_not_taken_for_stamps() {
    isolated("errors_from_the_network_are_counted_and_not_taken_for_stamps", async || {
        let _peer = Peer::new();
        let mut sockets = open("near");
        setsockopt(&sockets.families[0].event, sockopt::Ipv4RecvErr, &true).unwrap();
        setsockopt(&sockets.families[1].event, sockopt::Ipv6RecvErr, &true).unwrap();
        for (token, to) in ["10.0.0.2", "fe80::2"].into_iter().enumerate() {
            // Nobody listens there: an ICMP error comes back.
            send_event(&mut sockets, to, token as u32);
            let back = wait_taken(&mut sockets, 1).await;
            assert!(matches!(back[..], [(same, Some(_))] if same == token as u32), "{back:?}");
            let wait = async {
                while sockets.counters().network_errors <= token as u64 {
                    sockets.ready().await.unwrap();
                    assert_eq!(taken(&mut sockets, Instant::now()), []);
                    sockets.receive(|_| {});
                }
            };
            timeout(PATIENCE, wait).await.expect("the error is counted");
        }
        assert_eq!(sockets.counters().tx_stamps_unmatched, 0);
        assert!(timeout(Duration::from_millis(50), sockets.ready()).await.is_err(), "drained");
    });
}

#[test]
fn link_local_peers_are_reached() {
    isolated("link_local_peers_are_reached", async || {
        let peer = Peer::new();
        let mut sockets = open("near");
        peer.run(|| {
            std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut sockets = open("far");
                    for to in ["fe80::1", "10.0.0.1"] {
                        send_event(&mut sockets, to, 0);
                    }
                    wait_taken(&mut sockets, 2).await;
                });
            })
            .join()
            .unwrap();
        });
        let mut from = Vec::new();
        while from.len() < 2 {
            timeout(PATIENCE, sockets.ready()).await.unwrap().unwrap();
            sockets.receive(|datagram| from.push((datagram.from, datagram.channel)));
        }
        from.sort_by_key(|(from, _)| *from);
        assert_eq!(from, [(address("10.0.0.2"), Channel::Event), (address("fe80::2"), Channel::Event)]);
    });
}

#[test]
fn of_several_interfaces_no_other_is_heard() {
    isolated("of_several_interfaces_no_other_is_heard", async || {
        let peer = Peer::new();
        ip("link add spare type veth peer name spare2");
        ip("address add fd00::1/64 dev near nodad");
        peer.run(|| ip("address add fd00::2/64 dev far nodad"));
        for (interfaces, heard, unheard) in [(["lo", "spare"], [1, 0], 4), (["lo", "near"], [3, 2], 0)] {
            let interfaces = interfaces.map(str::to_owned).to_vec();
            let mut sockets: Sockets<u32> =
                Sockets::open(&SocketConfig { interfaces, ..config("lo") }).unwrap();
            peer.run(|| {
                for to in ["10.0.0.1", "fd00::1"].map(address) {
                    for port in [319, 320] {
                        let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
                        let socket = UdpSocket::bind((address(any), 0)).unwrap();
                        socket.send_to(b"payload", (to, port)).unwrap();
                    }
                }
            });
            sockets.send(address(LO4), Channel::Event, b"ours", None, Instant::now()).unwrap();
            let all = async {
                loop {
                    sockets.ready().await.unwrap();
                    sockets.take_sent(Instant::now(), |_, _| {});
                    sockets.receive(|_| {});
                    let counters = sockets.counters();
                    let heard = [counters.received_event, counters.received_general];
                    if heard.iter().sum::<u64>() + counters.other_interface == 5 {
                        return (heard, counters.other_interface);
                    }
                }
            };
            assert_eq!(timeout(PATIENCE, all).await.expect("all are counted"), (heard, unheard));
        }
    });
}

#[test]
fn a_local_address_is_the_only_one() {
    isolated("a_local_address_is_the_only_one", async || {
        let peer = Peer::new();
        ip("address add 192.0.2.1/32 dev lo");
        let own =
            |text: &str| SocketConfig { local_addresses: vec![address(text)], ipv6: false, ..config("near") };
        let mut sockets: Sockets<u32> = Sockets::open(&own("192.0.2.1")).unwrap();
        let from = peer.run(|| {
            ip("route add 192.0.2.1 via 10.0.0.1");
            let socket = UdpSocket::bind(("10.0.0.2", 320)).unwrap();
            // Nobody has bound that port of another address.
            socket.connect(("10.0.0.1", 320)).unwrap();
            socket.send(b"not here").unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
            drop(socket);
            let socket = UdpSocket::bind(("10.0.0.2", 320)).unwrap();
            socket.send_to(b"here", ("192.0.2.1", 320)).unwrap();
            socket
        });
        let mut heard: Vec<u8> = Vec::new();
        while heard.is_empty() {
            timeout(PATIENCE, sockets.ready()).await.unwrap().unwrap();
            sockets.receive(|datagram| heard.extend(datagram.octets));
        }
        assert_eq!(heard, b"here");
        sockets.send(address("10.0.0.2"), Channel::General, b"answer", None, Instant::now()).unwrap();
        from.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(from.recv_from(&mut [0; 8]).unwrap().1.ip(), address("192.0.2.1"));
        let error = Sockets::<u32>::open(&own("192.0.2.2")).err().expect("refused");
        assert!(
            matches!(error, NetError::NotLocal { .. }) && error.to_string().contains("192.0.2.2"),
            "{error}"
        );
    });
}

#[test]
fn a_datagram_that_is_too_long_is_dropped_and_counted() {
    isolated("a_datagram_that_is_too_long_is_dropped_and_counted", async || {
        let mut sockets = open("lo");
        let now = Instant::now();
        sockets.send(address(LO4), Channel::General, &[0; 3000], None, now).unwrap();
        sockets.send(address(LO4), Channel::General, &[0; 100], None, now).unwrap();
        let mut lengths = Vec::new();
        while lengths.is_empty() {
            timeout(PATIENCE, sockets.ready()).await.unwrap().unwrap();
            sockets.receive(|datagram| lengths.push(datagram.octets.len()));
        }
        let counters = sockets.counters();
        assert_eq!((lengths, counters.truncated, counters.received_general), (vec![100], 1, 1));
    });
}

#[test]
fn a_port_in_use_names_its_holder() {
    isolated("a_port_in_use_names_its_holder", async || {
        let _peer = Peer::new();
        let first = open("lo");
        let Err(error) = Sockets::<u32>::open(&config("lo")) else { panic!("opened twice") };
        let NetError::PortInUse { port: 319, family: "IPv4", holders, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(holders[0].pid, std::process::id());
        assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
        // Another interface is another matter.
        let other = open("near");
        drop((first, other));
        // A child that another test is starting may still have a copy of the socket, until it runs its program.
        let freed = async {
            while Sockets::<u32>::open(&config("lo")).is_err() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, freed).await.expect("the port is free again");
    });
}

#[test]
fn bad_configurations_are_refused() {
    isolated("bad_configurations_are_refused", async || {
        let refused = |config| Sockets::<u32>::open(&config).err().expect("refused");
        assert!(matches!(refused(config("no-such-if0")), NetError::NoInterface { .. }));
        assert!(matches!(refused(SocketConfig { dscp: 64, ..config("lo") }), NetError::Dscp { dscp: 64 }));
        let none = SocketConfig { ipv4: false, ipv6: false, ..config("lo") };
        assert!(matches!(refused(none), NetError::NoFamily));
        let hardware = SocketConfig { hardware: true, ..config("lo") };
        assert!(matches!(refused(hardware), NetError::NoHardwareStamps { .. }));
        let mut sockets: Sockets<u32> = Sockets::open(&SocketConfig { ipv6: false, ..config("lo") }).unwrap();
        let (error, token) =
            sockets.send(address(LO6), Channel::Event, b"x", Some(7), Instant::now()).unwrap_err();
        assert!(matches!((error, token), (NetError::FamilyNotOpen { .. }, Some(7))));
    });
}

#[test]
fn dscp_and_hop_limit_are_set() {
    isolated("dscp_and_hop_limit_are_set", async || {
        let sockets = open("lo");
        for socket in [&sockets.families[0].event, &sockets.families[0].general] {
            assert_eq!(getsockopt(socket, sockopt::Ipv4Tos).unwrap(), 56 << 2);
            assert_eq!(getsockopt(socket, sockopt::Ipv4Ttl).unwrap(), 64);
        }
        for socket in [&sockets.families[1].event, &sockets.families[1].general] {
            assert_eq!(getsockopt(socket, sockopt::Ipv6TClass).unwrap(), 56 << 2);
            assert_eq!(getsockopt(socket, sockopt::Ipv6Ttl).unwrap(), 64);
            assert!(getsockopt(socket, sockopt::Ipv6V6Only).unwrap());
        }
    });
}
