//! A server that grants some types and denies others, and what else is said in Signaling.

use super::NOW;
use super::signaling::{SERVER, Said, config, grant, listen, tell};
use crate::engine::client::Client;
use crate::engine::event::{Kind, Reason};
use crate::engine::{Engine, Input, Instant};
use ptp_common::wire::{CancelUnicast, MessageType, Tlv};
use std::time::Duration;

/// Lets time pass; whatever is asked for is answered by `duration`, 0 = denied.
fn answer(
    client: &mut Client,
    from: Instant,
    seconds: u64,
    duration: impl Fn(MessageType) -> u32,
) -> (Instant, Said) {
    let end = from + Duration::from_secs(seconds);
    let mut all = Said::default();
    let answer_to = |kind| grant(kind, duration(kind));
    let mut now = from;
    while let Some(at) = client.poll_timeout().filter(|&at| at <= end) {
        now = at.max(now);
        client.handle_timeout(now);
        let said = listen(client);
        let answers: Vec<_> = said.requests.iter().map(|asked| answer_to(asked.message_type)).collect();
        if !answers.is_empty() {
            tell(client, now, &answers);
        }
        all.requests.extend(said.requests);
        all.cancels.extend(said.cancels);
        all.events.extend(said.events);
        all.events.extend(listen(client).events);
    }
    (end, all)
}

#[test]
fn what_is_granted_in_part_is_given_up_and_asked_for_again_together() {
    let mut client = Client::new(NOW, config());
    let no_sync = |kind| if kind == MessageType::Sync { 0 } else { 300 };
    let (now, said) = answer(&mut client, NOW, 4, no_sync);
    let denied = said.events.iter().filter(|event| event.kind == Kind::Denied).count();
    assert_eq!(denied, 1, "told once");
    let cancelled: Vec<_> = said.cancels.iter().map(|cancel| cancel.message_type).collect();
    assert_eq!(cancelled[..2], [MessageType::Announce, MessageType::DelayResp]);
    assert!(said.cancels.iter().all(|cancel| !cancel.maintain_request && cancel.maintain_grant));
    let given_up = said.events.iter().find(|event| event.kind == Kind::Cancelled);
    assert_eq!(given_up.and_then(|event| event.reason), Some(Reason::ServedInPart));
    assert_eq!(client.status(now).servers[0].reason, Some(Reason::SyncNegoDeny));

    let (now, said) = answer(&mut client, now, 6, |_| 300);
    let asked: Vec<_> = said.requests.iter().map(|request| request.message_type).collect();
    assert_eq!(asked[..3], [MessageType::Announce, MessageType::Sync, MessageType::DelayResp]);
    let grants = &client.status(now).servers[0].grants;
    assert_eq!([grants.announce.state, grants.sync.state, grants.delay_resp.state], ["granted"; 3]);
}

#[test]
fn a_cancel_is_acknowledged_as_often_as_it_comes_and_ends_one_grant() {
    let mut client = Client::new(NOW, config());
    client.handle_timeout(NOW);
    listen(&mut client);
    let all = [MessageType::Announce, MessageType::Sync, MessageType::DelayResp].map(|kind| grant(kind, 300));
    tell(&mut client, NOW, &all);
    listen(&mut client);
    let now = NOW + Duration::from_millis(100);
    let cancel = Tlv::CancelUnicast(CancelUnicast {
        message_type: MessageType::Sync,
        maintain_request: true,
        maintain_grant: false,
    });
    for first in [true, false] {
        tell(&mut client, now, &[cancel]);
        let said = listen(&mut client);
        assert_eq!(said.acknowledged, [MessageType::Sync]);
        assert_eq!(said.events.iter().any(|event| event.kind == Kind::Cancelled), first);
    }
    let sync = &client.status(now).servers[0].grants.sync;
    assert_eq!((sync.state, sync.duration_s), ("cancelled", None));
}

#[test]
fn without_a_route_a_server_is_left_at_once() {
    let mut client = Client::new(NOW, config());
    client.handle_timeout(NOW);
    listen(&mut client);
    client.handle(NOW, Input::Unreachable { to: SERVER });
    client.handle(NOW, Input::Unreachable { to: SERVER });
    let reasons: Vec<_> = listen(&mut client).events.iter().map(|event| (event.kind, event.reason)).collect();
    assert_eq!(reasons, [(Kind::Unusable, Some(Reason::RouteUnreach))]);
}
