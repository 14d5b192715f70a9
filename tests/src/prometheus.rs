//! Debian's Prometheus in a namespace, and what is asked of it over HTTP.

use crate::netns::Host;
use crate::process::Process;
use crate::scratch;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// The program.
pub const PROMETHEUS: &str = "prometheus";
/// In a namespace of its own, any port is free.
const ADDRESS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9090);
/// It opens an empty database in less.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A running server; it ends on drop, and what it stored goes with it.
#[derive(Debug)]
pub struct Prometheus<'a> {
    host: &'a Host,
    process: Process,
    _directory: TempDir,
}

impl<'a> Prometheus<'a> {
    /// Starts one that asks the targets, and evaluates the rules, every second.
    pub fn start(host: &'a Host, targets: &[SocketAddr], rules: &Path) -> Result<Self> {
        let rules = rules.canonicalize().with_context(|| format!("no rules {}", rules.display()))?;
        let targets: Vec<String> = targets.iter().map(SocketAddr::to_string).collect();
        // It is JSON, and thus YAML.
        let config = serde_json::json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [rules],
            "scrape_configs": [{ "job_name": "ptp", "static_configs": [{ "targets": targets }] }],
        });
        let directory = scratch::directory(PROMETHEUS)?;
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, config.to_string())?;
        let mut command = Command::new(PROMETHEUS);
        command.arg("--config.file").arg(&file);
        command.arg("--storage.tsdb.path").arg(directory.path().join("data"));
        command.arg(format!("--web.listen-address={}", SocketAddr::from(ADDRESS)));
        let process = host.spawn(PROMETHEUS, command)?;
        process.wait_for("its being ready", START_TIMEOUT, |line| {
            line.text.contains("ready to receive web requests").then_some(())
        })?;
        Ok(Self { host, process, _directory: directory })
    }

    /// The `data` of what it answers to GET `/api/v1/PATH`; what it calls an error is one.
    pub fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut target = format!("/api/v1/{path}");
        for (number, (name, value)) in parameters.iter().enumerate() {
            target += if number == 0 { "?" } else { "&" };
            // Writing to a string cannot fail.
            let _ = write!(target, "{}={}", encoded(name), encoded(value));
        }
        let answer = self.host.namespace().enter(|| {
            let mut stream = TcpStream::connect_timeout(&ADDRESS.into(), ANSWER_TIMEOUT)?;
            stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
            // An answer to HTTP/1.0 is not in chunks.
            write!(stream, "GET {target} HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        });
        let answer = answer.with_context(|| format!("{PROMETHEUS}\n{}", self.process.tail()))?;
        let (_, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        let mut body: Value =
            serde_json::from_str(body).with_context(|| format!("{target}: no JSON: {answer}"))?;
        ensure!(body["status"] == "success", "{path} {parameters:?}: {body}");
        Ok(body["data"].take())
    }

    /// The series that a query gives now, each with `metric` (its labels) and `value` (time, and the value as a string).
    pub fn query(&self, query: &str) -> Result<Vec<Value>> {
        series(self.get("query", &[("query", query)])?)
    }

    /// The same over the last minute, with `values` of every second.
    pub fn query_range(&self, query: &str) -> Result<Vec<Value>> {
        let now = self.get("query", &[("query", "time()")])?;
        let now = now["result"][0].as_f64().context("it does not know the time")?;
        let (start, end) = ((now - 60.0).to_string(), now.to_string());
        let range = [("query", query), ("start", &start), ("end", &end), ("step", "1")];
        series(self.get("query_range", &range)?)
    }
}

fn series(mut data: Value) -> Result<Vec<Value>> {
    match data["result"].take() {
        Value::Array(series) => Ok(series),
        other => anyhow::bail!("no series: {other}"),
    }
}

/// As it may stand in a URL.
fn encoded(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_fits_into_a_url() {
        assert_eq!(encoded("a_b{c=~\"é\"}[1m]"), "a_b%7Bc%3D%7E%22%C3%A9%22%7D%5B1m%5D");
    }
}
