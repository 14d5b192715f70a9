//! `ptp-ctl simulate` as a user meets it.

use anyhow::{Result, ensure};
use ptp_tests::netns::{Family, World};
use ptp_tests::program::PtpCtl;
use ptp_tests::{Need, have, scenarios};
use serde_json::Value;
use std::process::{Command, Output};
use std::time::Duration;

const NEEDS: &[Need] = &[Need::PtpCtl];
const LAB_NEEDS: &[Need] = &[Need::Root, Need::Program("ip"), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(40);
const SCENARIO: &str = "title = \"short\"\nduration = 30\n[oscillator]\noffset = 1e6\nfrequency = 10e3\n\
                        [[server]]\nto-client.delay = [{ constant = 10e3 }, { exponential = 100 }]\n";

/// Runs it on a scenario with this text.
fn simulate(text: &str, arguments: &[&str]) -> Result<Output> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("scenario.toml");
    std::fs::write(&file, text)?;
    Ok(Command::new(PtpCtl::find()?).arg("simulate").arg(file).args(arguments).output()?)
}

#[test]
fn mistakes_name_file_and_key() -> Result<()> {
    if !have("mistakes_name_file_and_key", NEEDS) {
        return Ok(());
    }
    let cases = [
        (
            SCENARIO.replace("exponential = 100", "exponential = -1"),
            "server[1].to-client.delay[2].exponential",
        ),
        (SCENARIO.replace("offset", "ofset"), "unknown field `ofset`"),
        (
            format!("{SCENARIO}[client]\nservo = \"pid\"\n"),
            "unknown variant `pid`, expected `adaptive` or `pi`",
        ),
        (format!("{SCENARIO}[client]\nmax-slew = 0\n"), "client.max-slew = 0: must be 1 to 500000"),
    ];
    for (text, expected) in cases {
        let output = simulate(&text, &[])?;
        let message = String::from_utf8(output.stderr)?;
        ensure!(output.status.code() == Some(2), "{text}: {:?}", output.status);
        ensure!(message.contains("scenario.toml") && message.contains(expected), "{text}: {message}");
    }
    let output = Command::new(PtpCtl::find()?).args(["simulate", "/nowhere.toml"]).output()?;
    ensure!(output.status.code() == Some(2), "{:?}", output.status);
    ensure!(String::from_utf8(output.stderr)?.contains("cannot read /nowhere.toml"));
    Ok(())
}

#[test]
fn the_same_seeds_give_the_same_document() -> Result<()> {
    if !have("the_same_seeds_give_the_same_document", NEEDS) {
        return Ok(());
    }
    let document = |arguments: &[&str]| -> Result<Value> {
        let output = simulate(SCENARIO, &[&["--json"], arguments].concat())?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let first = document(&["--seeds", "4"])?;
    ensure!(first == document(&["--seeds", "4"])?);
    let runs = first["runs"].as_array().map_or(0, Vec::len);
    ensure!(runs == 4, "{runs} runs");
    ensure!(first["runs"][2] == document(&["--seed", "3"])?["runs"][0]);
    for figure in ["mean_ns", "rms_ns", "p99_ns", "max_ns", "settled_s"] {
        ensure!(first["runs"][0][figure].is_number(), "{figure}");
    }
    ensure!(first["runs"][0]["mtie"].as_array().is_some_and(|points| !points.is_empty()));
    Ok(())
}

#[test]
fn it_can_be_read_and_drawn() -> Result<()> {
    if !have("it_can_be_read_and_drawn", NEEDS) {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let plot = directory.path().join("plot.svg");
    let output = simulate(SCENARIO, &["--plot", &plot.to_string_lossy()])?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for word in ["short", "true error", "settled", "99 % bound", "MTIE", "TDEV", "locked"] {
        ensure!(text.contains(word), "{word}: {text}");
    }
    let drawn = std::fs::read_to_string(plot)?;
    ensure!(drawn.starts_with("<svg") && drawn.contains("MTIE"));
    Ok(())
}

#[test]
fn a_record_of_real_packets_is_replayed() -> Result<()> {
    if !have("a_record_of_real_packets_is_replayed", LAB_NEEDS) {
        return Ok(());
    }
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let world = World::new(&["server", "client"])?;
    let [server_host, client_host] = world.hosts() else { unreachable!("two names were given") };
    let directory = tempfile::tempdir()?;
    let record = directory.path().join("delays.jsonl");
    let mut server = programs.server(server_host, "server", &[])?;
    let options = ["--record", &record.to_string_lossy(), "--virtual-offset", "5000000"];
    let mut client = programs.client(client_host, Family::V4, &[server_host], &options)?;
    let mut samples = 0;
    client.wait_for("40 exchanges", PATIENCE, |line| {
        samples += u32::from(line.is("sample"));
        (samples == 40).then_some(())
    })?;
    client.terminate(PATIENCE)?;
    server.terminate(PATIENCE)?;

    let lines = std::fs::read_to_string(&record)?.lines().count();
    ensure!(lines >= 40, "{lines} exchanges");
    let text = format!(
        "duration = 60\n[[server]]\nto-client.delay = [{{ trace = \"{}\" }}]\n",
        record.to_string_lossy()
    );
    let output = simulate(&text, &["--json"])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout)?;
    // Delays of microseconds: with the client's 5 ms in them nothing would come near.
    let error = document["runs"][0]["rms_ns"].as_f64();
    ensure!(error.is_some_and(|error| error < 500_000.0), "{document}");
    Ok(())
}

#[test]
fn the_ready_made_ones_are_there() -> Result<()> {
    for name in ["lan", "metro", "pdv", "load30", "asym"] {
        ensure!(scenarios::directory().join(name).with_extension("toml").is_file(), "{name}");
    }
    Ok(())
}
