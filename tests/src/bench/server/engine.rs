//! The engine alone: what Signaling costs when no packet has to be sent or received.

use super::request::client_identity;
use super::responder::hundredths;
use super::stage::FIRST_CLIENT;
use crate::bench::cost;
use crate::figures::{Report, Row};
use anyhow::{Context, Result, bail};
use ptp_common::net::Channel;
use ptp_common::wire::{
    Body, ClockIdentity, Header, Message, MessageType, PortIdentity, RequestUnicast, Tlv,
};
use ptp_ctl::config::{Config, Local, Role};
use ptp_ctl::engine::config::LocalTimescale;
use ptp_ctl::engine::server::Server;
use ptp_ctl::engine::{Engine as _, Input, Instant as Now, Output};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const CLIENTS: u32 = 1_000_000;
/// Time of the engine between one message and the next: 100,000 a second.
const PACE: Duration = Duration::from_micros(10);
/// Coprime with the number of clients: they come in no order that a cache could know.
const STEP: u32 = 618_033;

/// A million clients come in, renew, and their grants end.
pub(super) fn run(report: &mut Report) -> Result<()> {
    let mut server = server()?;
    let mut now = Now::from_nanos(1_000_000_000_000);
    let before_kb = cost::own_resident_kb()?;
    let case = "engine alone, 1 M clients, three TLVs a message";
    for what in ["clients that come in", "renewals"] {
        let started = Instant::now();
        let mut answered = 0_u64;
        let mut number = 0;
        for _ in 0..CLIENTS {
            number = (number + STEP) % CLIENTS;
            answered += ask(&mut server, now, number)?;
            now = now + PACE;
        }
        let rate = answered as f64 / started.elapsed().as_secs_f64();
        report.rows.push(Row::new(case, &format!("{what}, Signaling answered"), "1/s", rate.round()));
    }
    let octets = (cost::own_resident_kb()? - before_kb) * 1024.0 / f64::from(CLIENTS);
    report.rows.push(Row::new(case, "memory of a client", "octets", octets.round()));
    let mut longest = Duration::ZERO;
    let started = Instant::now();
    while let Some(due) = server.poll_timeout() {
        now = now.max(due);
        let turn = Instant::now();
        server.handle_timeout(now);
        while server.poll_output().is_some() {}
        longest = longest.max(turn.elapsed());
    }
    let each_ns = started.elapsed().as_nanos() as f64 / f64::from(CLIENTS);
    report.rows.push(Row::new(case, "time for the end of a client's grants", "ns", each_ns.round()));
    let longest_ms = hundredths(longest.as_secs_f64() * 1e3);
    report.rows.push(Row::new(case, "longest time that packets wait meanwhile", "ms", longest_ms));
    Ok(())
}

/// One message with three requests; how many were answered. All of them are for Delay_Resp, since it is not the engine
/// that sends Sync and Announce to so many.
fn ask(server: &mut Server, now: Now, number: u32) -> Result<u64> {
    let header = Header { source_port_identity: client_identity(number), ..Header::default() };
    let body = Body::Signaling { target_port_identity: PortIdentity::WILDCARD };
    let request = |log_inter_message_period| {
        let message_type = MessageType::DelayResp;
        Tlv::RequestUnicast(RequestUnicast { message_type, log_inter_message_period, duration_field: 300 })
    };
    let mut octets = [0; 128];
    let length = Message::new(header, body)
        .emit_with_tlvs(&[request(0), request(0), request(0)], &mut octets)
        .context("a request fits")?;
    let from = Ipv4Addr::from(u32::from(FIRST_CLIENT) + number).into();
    let input = Input::Received { bytes: &octets[..length], from, channel: Channel::General, rx: None };
    server.handle(now, input);
    let mut answered = 0;
    while let Some(output) = server.poll_output() {
        answered += u64::from(matches!(output, Output::Send { .. }));
    }
    Ok(answered)
}

fn server() -> Result<Server> {
    let text = format!("[server]\ninterface = \"eth0\"\nmax-clients = {CLIENTS}\n");
    let Role::Server(settings) = Config::parse(&text)?.role else { bail!("these are a server's settings") };
    let local = Local {
        port_identity: PortIdentity {
            clock_identity: ClockIdentity::from_mac([2, 0, 0, 2, 0, 0]),
            port_number: 1,
        },
        timescale: LocalTimescale::Tai,
        frequency_ppb: 0.0,
        max_frequency_ppb: 0.0,
        seed: 1,
    };
    Ok(Server::new(Now::from_nanos(1_000_000_000_000), settings.engine_config(&local)))
}
