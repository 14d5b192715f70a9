//! Metrics over HTTP, as Prometheus reads them: of a client and of its server, on real packets.

use anyhow::{Context as _, Result, ensure};
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::program::PtpCtl;
use ptp_tests::{Need, have};
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::Program("promtool"), Need::PtpCtl];
const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u16 = 9319;

/// What the controller of this host answers.
fn get(host: &Host, address: IpAddr, request: &str) -> Result<String> {
    host.namespace().enter(|| {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(address, PORT), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

fn metrics(host: &Host, address: IpAddr) -> Result<String> {
    let answer = get(host, address, "GET /metrics HTTP/1.1\r\nHost: ptp\r\n\r\n")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no head")?;
    ensure!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    ensure!(head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{head}");
    ensure!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
    Ok(body.to_owned())
}

/// The value of the one line that begins so.
fn value(text: &str, name: &str) -> Result<f64> {
    let line =
        text.lines().find(|line| line.starts_with(name)).with_context(|| format!("no {name} in\n{text}"))?;
    Ok(line.rsplit(' ').next().context("no value")?.parse()?)
}

/// In Prometheus' older format, the only one that promtool reads: without an end mark, and with a counter's one name.
fn older(text: &str) -> String {
    let counters: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let line = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
        ["#", "EOF"] => String::new(),
        ["#", keyword, name, ref rest @ ..] if counters.contains(&name) => {
            format!("# {keyword} {name}_total {}\n", rest.join(" "))
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// Gives it to promtool.
fn check(arguments: &[&str], text: &str) -> Result<()> {
    let mut promtool =
        Command::new("promtool").args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    promtool.stdin.take().context("no stdin")?.write_all(text.as_bytes())?;
    let output = promtool.wait_with_output()?;
    ensure!(output.status.success(), "promtool: {}\n{text}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn prometheus_reads_client_and_server() -> Result<()> {
    if !have("prometheus_reads_client_and_server", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["server", "client"])?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    let [server_address, client_address] =
        [server_host, client_host].map(|host| host.address(Plane::Ours, Family::V4));
    let [at_server, at_client] =
        [server_address, client_address].map(|address| SocketAddr::new(address, PORT).to_string());
    let _server = programs.server(server_host, "server", &["--metrics", &at_server])?;
    let client = programs.client(client_host, Family::V4, &[server_host], &["--metrics", &at_client])?;
    client.wait_for("the lock", PATIENCE, |line| {
        (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
    })?;

    let of_client = metrics(client_host, client_address)?;
    ensure!(value(&of_client, "ptp_client_state{state=\"locked\"}")? == 1.0);
    ensure!(value(&of_client, "ptp_offset_seconds")?.abs() < 1e-4);
    ensure!(value(&of_client, "ptp_offset_bound_seconds")? > 0.0);
    ensure!(value(&of_client, "ptp_measured_offset_seconds_count")? > 1.0);
    ensure!(value(&of_client, "ptp_grant_expires_seconds{")? > 0.0);
    ensure!(value(&of_client, "ptp_xdp_frames_total{outcome=\"taken\"")? > 1.0);
    let of_server = metrics(server_host, server_address)?;
    ensure!(value(&of_server, "ptp_served_clients")? == 1.0);
    ensure!(value(&of_server, "ptp_served_grants{message=\"sync\"}")? == 1.0);
    for text in [&of_client, &of_server] {
        check(&["check", "metrics"], &older(text))?;
    }
    for (request, status) in [
        ("GET /other HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        let answer = get(server_host, server_address, request)?;
        ensure!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    Ok(())
}

#[test]
fn promtool_accepts_the_rules() -> Result<()> {
    if !have("promtool_accepts_the_rules", &[Need::Program("promtool")]) {
        return Ok(());
    }
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana/ptp-ctl.rules.yml");
    check(&["check", "rules", &rules.display().to_string()], "")
}
