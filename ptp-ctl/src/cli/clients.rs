//! `ptp-ctl clients`.

use super::controller::Controller;
use super::{print, print_json};
use crate::engine::server::{Prefix, Wanted};
use crate::runtime::Question;
use anyhow::bail;
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    controller: Controller,
    /// Only clients of this prefix, or with this address
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<Prefix>,
    /// List so many, those whose grants allow the most messages first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    top: u32,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Controller { interface, .. } = &args.controller;
    let wanted = Wanted { prefix: args.prefix, top: args.top as usize };
    let answer = args.controller.ask(&Question::Clients(wanted))?.ok_or_else(|| {
        args.controller.missing(&format!("; start `ptp-ctl server {interface}`, or name its --run-dir"))
    })?;
    if answer["clients"].is_null() {
        bail!(
            "a client runs on {interface}, which has no clients; `ptp-ctl stats {interface}` shows what it does"
        );
    }
    if args.json {
        print_json(&answer)?;
    } else {
        print(text(args, &answer))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer for people.
fn text(args: &Args, answer: &Value) -> String {
    let whom = match &args.prefix {
        Some(prefix) => format!(
            "{} clients, {} of them in {prefix}",
            answer["totals"]["clients"], answer["matching"]["clients"]
        ),
        None => format!("{} clients", answer["totals"]["clients"]),
    };
    let matching = &answer["matching"];
    let mut text = format!(
        "{whom}: grants of {} Announce, {} Sync, {} Delay_Resp, {:.1} messages/s at most\n",
        matching["announce"],
        matching["sync"],
        matching["delay_resp"],
        answer["granted_per_s"].as_f64().unwrap_or(0.0)
    );
    let rows: Vec<_> = answer["clients"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return text;
    }
    let heads = ["address", "port identity", "Announce", "Sync", "Delay_Resp"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

fn row(client: &Value) -> [String; 5] {
    let word = |key: &str| client[key].as_str().unwrap_or("?").to_owned();
    let grant = |service: &str| {
        let grant = &client["grants"][service];
        match (grant["log_interval"].as_i64(), grant["expires_in_s"].as_f64()) {
            (Some(log_interval), Some(left)) => {
                format!("{}/s, {left:.0} s left", 2_f64.powi(-(log_interval as i32)))
            }
            _ => "-".to_owned(),
        }
    };
    [word("address"), word("port_identity"), grant("announce"), grant("sync"), grant("delay_resp")]
}
