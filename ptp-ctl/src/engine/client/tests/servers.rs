//! Settings that change while a client runs, message by message. `tests/tests/sim_reload.rs` has what becomes of the clock.

use super::NOW;
use super::signaling::{SERVER, Said, config, grant, listen, tell};
use crate::engine::client::Client;
use crate::engine::config::{ClientConfig, ServerEntry};
use crate::engine::event::{Kind, Reason};
use crate::engine::{Engine, Instant};
use ptp_common::wire::{CancelUnicast, MessageType, Tlv};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// A server that answers nothing.
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 1));
const TYPES: [MessageType; 3] = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp];
const DURATION: u32 = 300;

/// A client that was granted everything, and hears nothing; before the first renewal that means nothing to it.
fn granted() -> (Client, ClientConfig) {
    let config = ClientConfig { announce_receipt_timeout: 255, sync_receipt_timeout: 255, ..config() };
    let mut client = Client::new(NOW, config.clone());
    client.handle_timeout(NOW);
    listen(&mut client);
    tell(&mut client, NOW, &TYPES.map(|kind| grant(kind, DURATION)));
    listen(&mut client);
    (client, config)
}

fn of(config: &ClientConfig, address: IpAddr) -> ClientConfig {
    ClientConfig { servers: vec![ServerEntry { address, local_priority: 1 }], ..config.clone() }
}

/// Lets time pass until then, or until the client sends something: when, and what.
fn until(client: &mut Client, from: Instant, end: Instant) -> (Instant, Said) {
    let mut now = from;
    while let Some(at) = client.poll_timeout().filter(|&at| at <= end) {
        now = at.max(now);
        client.handle_timeout(now);
        let said = listen(client);
        if !said.requests.is_empty() || !said.cancels.is_empty() {
            return (now, said);
        }
    }
    (end, Said::default())
}

#[test]
fn intervals_and_duration_are_asked_for_at_the_next_renewal_and_not_before() {
    let (mut client, config) = granted();
    let now = NOW + Duration::from_secs(1);
    let wanted = ClientConfig {
        log_announce_interval: 1,
        log_sync_interval: -4,
        log_delay_resp_interval: -2,
        duration: 120,
        ..config
    };
    client.reconfigure(now, wanted);
    let (at, said) = until(&mut client, now, NOW + Duration::from_secs(DURATION.into()));
    let share = at.since(NOW).as_secs_f64() / f64::from(DURATION);
    assert!((0.25..=0.75).contains(&share), "asked after {share} of the duration");
    let asked: Vec<_> = said
        .requests
        .iter()
        .map(|request| (request.message_type, request.log_inter_message_period, request.duration_field))
        .collect();
    let [announce, sync, delay_resp] = TYPES;
    assert_eq!(asked, [(announce, 1, 120), (sync, -4, 120), (delay_resp, -2, 120)]);
    assert_eq!(said.cancels, []);
}

#[test]
fn a_server_that_is_taken_out_is_told_until_it_acknowledges() {
    let acknowledge = TYPES.map(|message_type| {
        let cancel = CancelUnicast { message_type, maintain_request: false, maintain_grant: true };
        Tlv::AcknowledgeCancelUnicast(cancel)
    });
    for (answers, expected) in [(true, 1), (false, 3)] {
        let (mut client, config) = granted();
        client.reconfigure(NOW, of(&config, OTHER));
        let events = listen(&mut client).events;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((event.kind, event.peer), (Kind::Unusable, Some(SERVER)));
        assert_eq!(event.reason, Some(Reason::ServerRemoved));
        let servers = client.status(NOW).servers;
        assert_eq!(servers.iter().map(|server| server.address).collect::<Vec<_>>(), [OTHER]);
        let mut told = 0;
        let mut now = NOW;
        let end = NOW + Duration::from_secs(60);
        while now < end {
            let said;
            (now, said) = until(&mut client, now, end);
            let cancelled: Vec<_> = said.cancels.iter().map(|cancel| cancel.message_type).collect();
            assert!(cancelled.is_empty() || cancelled == TYPES, "{cancelled:?}");
            told += usize::from(!cancelled.is_empty());
            if answers {
                tell(&mut client, now, &acknowledge);
            }
        }
        assert_eq!(told, expected);
    }
}

#[test]
fn one_that_is_put_back_is_asked_again_and_not_cancelled_any_more() {
    let (mut client, config) = granted();
    client.reconfigure(NOW, of(&config, OTHER));
    let (now, said) = until(&mut client, NOW, NOW);
    assert_eq!(said.cancels.len(), 3);
    client.reconfigure(now, config);
    let (mut now, said) = until(&mut client, now, now);
    assert_eq!((said.requests.len(), said.cancels.len()), (3, 0));
    tell(&mut client, now, &TYPES.map(|kind| grant(kind, DURATION)));
    let end = NOW + Duration::from_secs(10);
    while now < end {
        let said;
        (now, said) = until(&mut client, now, end);
        assert_eq!(said.cancels, []);
    }
    let grants = &client.status(now).servers[0].grants;
    assert_eq!([grants.announce.state, grants.sync.state, grants.delay_resp.state], ["granted"; 3]);
}

#[test]
fn a_grant_that_comes_when_its_server_is_gone_is_cancelled() {
    let config = config();
    let mut client = Client::new(NOW, config.clone());
    client.handle_timeout(NOW);
    listen(&mut client);
    client.reconfigure(NOW, of(&config, OTHER));
    client.handle_timeout(NOW);
    assert_eq!(listen(&mut client).cancels, [], "nothing is granted yet");
    tell(&mut client, NOW, &TYPES.map(|kind| grant(kind, DURATION)));
    let (_, said) = until(&mut client, NOW, NOW);
    assert_eq!(said.cancels.len(), 3);
}
