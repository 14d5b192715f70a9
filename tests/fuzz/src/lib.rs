//! Drives an engine with whatever the fuzzer makes up, and checks what holds for every engine.

mod messages;

use arbitrary::{Arbitrary, Unstructured};
use messages::{CAPACITY, Content, reply, service};
use ptp_common::net::Channel;
use ptp_common::time::{Interval, Timestamp};
use ptp_common::wire::{Body, ClockIdentity, Flags, Message, PortIdentity, set_origin_timestamp};
use ptp_ctl::engine::{Engine, Input, Instant, Output, Packet, TxToken};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// More outputs than that without an input are a loop without end.
const MOST_OUTPUTS: usize = 10_000;
/// Handling the time-out that was asked for so many times must move it beyond now.
const MOST_TIMEOUTS: usize = 1_000;

/// Messages that a peer keeps for an answer.
const MOST_SENT: usize = 32;
/// Rounds of good behaviour in one step.
const MOST_ROUNDS: u8 = 32;

/// The peers that there are; an engine under test knows the first two.
pub const PEERS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3)),
];

/// One thing that happens.
#[derive(Debug, Arbitrary)]
enum Step<'a> {
    /// Any octets.
    Octets {
        peer: u8,
        event: bool,
        octets: &'a [u8],
    },
    /// A message that is well-formed.
    Message {
        peer: u8,
        wrong_port: bool,
        stamped: bool,
        noise: i32,
        content: Content,
    },
    /// What a peer would answer to a message it got.
    Reply {
        peer: u8,
        which: u8,
        noise: i32,
        duration: u16,
        log_interval: Option<i8>,
    },
    /// A peer behaves as it should for a while: else the fuzzer would hardly ever see a client that follows.
    Behave {
        peer: u8,
        rounds: u8,
        milliseconds: u8,
    },
    /// A TX stamp, in any order, or the news that it is lost.
    Sent {
        which: u8,
        stamped: bool,
        noise: i32,
    },
    TaiOffset(Option<i16>),
    /// The clock was steered as was asked for, or the news comes unasked.
    Steered {
        noise: i32,
    },
    ClockDisturbed,
    /// Time passes, and the engine is woken as it asked.
    Wait {
        milliseconds: u16,
    },
    /// Time passes without a wake-up: a busy machine.
    Oversleep {
        milliseconds: u16,
    },
    /// A wake-up that nobody asked for.
    Wake,
}

/// Feeds `engine` until `data` runs out; the time then. `own` is the engine's sourcePortIdentity.
pub fn drive<E: Engine>(engine: &mut E, own: PortIdentity, data: &mut Unstructured<'_>) -> Instant {
    let mut world =
        World { engine, own, now: Instant::default(), tokens: Vec::new(), sent: Default::default() };
    world.take_outputs();
    while !data.is_empty() {
        let Ok(step) = Step::arbitrary(data) else { break };
        world.step(step);
        world.take_outputs();
    }
    world.now
}

/// Takes and checks what an engine still wants after [`drive`], for instance when it was shut down.
pub fn drain<E: Engine>(engine: &mut E, own: PortIdentity, now: Instant) {
    World { engine, own, now, tokens: Vec::new(), sent: Default::default() }.take_outputs();
}

/// The sourcePortIdentity of a peer.
fn identity(peer: usize) -> PortIdentity {
    PortIdentity { clock_identity: ClockIdentity([peer as u8 + 1; 8]), port_number: 1 }
}

struct World<'e, E> {
    engine: &'e mut E,
    own: PortIdentity,
    now: Instant,
    /// TX stamps owed.
    tokens: Vec<TxToken>,
    /// What each peer got and did not answer.
    sent: [Vec<Packet>; PEERS.len()],
}

impl<E: Engine> World<'_, E> {
    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Octets { peer, event, octets } => {
                let channel = if event { Channel::Event } else { Channel::General };
                let rx = event.then(|| self.local_time(0));
                self.receive(peer_index(peer), octets, channel, rx);
            }
            Step::Message { peer, wrong_port, stamped, noise, content } => {
                let rx = stamped.then(|| self.local_time(noise));
                self.receive_content(peer_index(peer), &content, wrong_port, rx);
            }
            Step::Reply { peer, which, noise, duration, log_interval } => {
                let peer = peer_index(peer);
                if !self.sent[peer].is_empty() {
                    let which = usize::from(which) % self.sent[peer].len();
                    let packet = self.sent[peer].swap_remove(which);
                    self.reply(peer, &packet, noise, duration, log_interval);
                }
            }
            Step::Behave { peer, rounds, milliseconds } => {
                let peer = peer_index(peer);
                for round in 0..rounds.min(MOST_ROUNDS) {
                    for packet in std::mem::take(&mut self.sent[peer]) {
                        self.reply(peer, &packet, 0, 60, None);
                    }
                    for content in service(round) {
                        let rx = Some(self.local_time(0));
                        self.receive_content(peer, &content, false, rx);
                    }
                    self.take_outputs();
                    let tx = Some(self.local_time(0));
                    for token in std::mem::take(&mut self.tokens) {
                        self.engine.handle(self.now, Input::Sent { token, tx });
                    }
                    self.wait(Duration::from_millis(milliseconds.into()));
                }
            }
            Step::Sent { which, stamped, noise } => {
                if self.tokens.is_empty() {
                    return;
                }
                let token = self.tokens.swap_remove(usize::from(which) % self.tokens.len());
                let tx = stamped.then(|| self.local_time(noise));
                self.engine.handle(self.now, Input::Sent { token, tx });
            }
            Step::TaiOffset(offset) => self.engine.handle(self.now, Input::TaiOffset(offset)),
            Step::Steered { noise } => {
                let at = self.local_time(noise);
                self.engine.handle(self.now, Input::Steered { at });
            }
            Step::ClockDisturbed => self.engine.handle(self.now, Input::ClockDisturbed),
            Step::Wait { milliseconds } => self.wait(Duration::from_millis(milliseconds.into())),
            Step::Oversleep { milliseconds } => {
                self.now = self.now + Duration::from_millis(milliseconds.into());
                self.wake();
            }
            Step::Wake => self.engine.handle_timeout(self.now),
        }
    }

    fn reply(&mut self, peer: usize, packet: &Packet, noise: i32, duration: u16, log_interval: Option<i8>) {
        let time = self.local_time(noise);
        let mut octets = [0; CAPACITY];
        let length = reply(packet.as_bytes(), identity(peer), time, duration, log_interval, &mut octets);
        if length > 0 {
            self.receive(peer, &octets[..length], Channel::General, None);
        }
    }

    fn receive_content(&mut self, peer: usize, content: &Content, wrong_port: bool, rx: Option<Timestamp>) {
        let mut octets = [0; CAPACITY];
        let length = content.emit(identity(peer), self.own, self.local_time(0), &mut octets);
        let channel = if content.is_event() != wrong_port { Channel::Event } else { Channel::General };
        self.receive(peer, &octets[..length], channel, rx.filter(|_| channel == Channel::Event));
    }

    fn receive(&mut self, peer: usize, octets: &[u8], channel: Channel, rx: Option<Timestamp>) {
        self.engine.handle(self.now, Input::Received { bytes: octets, from: PEERS[peer], channel, rx });
    }

    /// A reading of the local clock, `noise` ns off.
    fn local_time(&self, noise: i32) -> Timestamp {
        Timestamp::from_nanos(1_700_000_000_000_000_000 + self.now.as_nanos())
            + Interval::from_nanos(noise.into())
    }

    fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        // Bounded: an engine with many short intervals may want to wake often, and time is not what is fuzzed.
        for _ in 0..MOST_TIMEOUTS {
            match self.engine.poll_timeout() {
                Some(wake) if wake <= end => {
                    self.now = self.now.max(wake);
                    self.wake();
                }
                _ => break,
            }
        }
        self.now = end;
        self.wake();
    }

    fn wake(&mut self) {
        for _ in 0..MOST_TIMEOUTS {
            match self.engine.poll_timeout() {
                Some(wake) if wake <= self.now => self.engine.handle_timeout(self.now),
                _ => return,
            }
            self.take_outputs();
        }
        panic!("handle_timeout does not move poll_timeout beyond now");
    }

    fn take_outputs(&mut self) {
        for _ in 0..MOST_OUTPUTS {
            let Some(output) = self.engine.poll_output() else { return };
            let Output::Send { to, channel, mut packet, token, origin } = output else { continue };
            let message = Message::parse(packet.as_bytes()).expect("an engine sends what it can parse");
            assert_eq!(message.header.source_port_identity, self.own);
            let event = message.body.message_type().is_event();
            assert_eq!(channel == Channel::Event, event, "{message:?}");
            // Nobody waits for the stamp of a one-step Sync.
            let one_step =
                matches!(message.body, Body::Sync { .. }) && !message.header.flags.contains(Flags::TWO_STEP);
            assert_eq!(token.is_some(), event && !one_step, "{message:?}");
            if let Some(token) = token {
                assert!(!self.tokens.contains(&token), "a TX token twice");
                self.tokens.push(token);
            }
            if origin.is_some() {
                let patched = set_origin_timestamp(packet.as_bytes_mut(), self.local_time(0));
                assert_eq!(patched, Ok(()));
            }
            let peer = PEERS.iter().position(|peer| *peer == to).expect("an engine sends to peers only");
            if self.sent[peer].len() < MOST_SENT {
                self.sent[peer].push(packet);
            }
        }
        panic!("outputs without end");
    }
}

fn peer_index(peer: u8) -> usize {
    usize::from(peer) % PEERS.len()
}
