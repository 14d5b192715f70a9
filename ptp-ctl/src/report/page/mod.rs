//! The `stats` document as a page that people read.

#[cfg(test)]
mod tests;

use super::line::capabilities_text;
use super::words::{age, list, rate, text, time, words};
use serde_json::Value;
use std::fmt::Write;

/// Clients of a server that are listed; `ptp-ctl clients` lists more.
const LISTED_CLIENTS: usize = 20;
/// Events at the end of the page.
const LISTED_EVENTS: usize = 8;

/// The page of a running controller. `now_ns` is CLOCK_REALTIME, which the events are dated by.
pub fn page(document: &Value, now_ns: u64) -> String {
    let mut page = String::new();
    match text(&document["role"]) {
        "client" => client(&mut page, document, now_ns),
        _ => server(&mut page, document),
    }
    stamps(&mut page, document);
    process(&mut page, document);
    events(&mut page, document, now_ns);
    page
}

fn client(page: &mut String, document: &Value, now_ns: u64) {
    let (interface, state) = (text(&document["interface"]), text(&document["state"]));
    let since = last_event(document, |event| event["event"] == "state" && event["detail"] == state);
    let since = since.map(|event| format!(", for {}", age(event, now_ns))).unwrap_or_default();
    // Writing to a string cannot fail, here and below.
    let _ = match document["selected_server"].as_str() {
        Some(server) => writeln!(page, "{interface} is a client of {server}: {state}{since}."),
        None => writeln!(page, "{interface} is a client without a server: {state}{since}."),
    };
    let clock = text(&document["clock"]["kind"]);
    let estimate = (&document["estimated_offset_ns"], &document["bound_ns"]);
    if let (Some(offset), Some(bound)) = (estimate.0.as_f64(), estimate.1.as_f64()) {
        let which = if clock == "none" { "system" } else { clock };
        let side = if offset < 0.0 { "behind" } else { "ahead" };
        let _ = write!(
            page,
            "Its {which} clock is {} {side}, give or take {} with 99 % certainty",
            time(offset.abs()),
            time(bound)
        );
        let _ = match document["asymmetry_bound_ns"].as_f64() {
            Some(asymmetry) => writeln!(page, "; unequal ways can add up to {} to that.", time(asymmetry)),
            None => writeln!(page, "."),
        };
    }
    if let Some(delay) = document["path_delay_ns"].as_f64() {
        let _ = write!(page, "The path takes {}. ", time(delay));
    }
    let _ = match (clock, document["clock"]["frequency_ppb"].as_f64()) {
        ("none", _) | (_, None) => writeln!(page, "Nothing is steered."),
        (_, Some(ppb)) => writeln!(page, "The clock is steered by {ppb:+.1} ppb."),
    };
    let chosen = last_event(document, |event| event["event"] == "selected");
    if let Some((event, reason)) = chosen.and_then(|event| Some((event, event["reason"].as_str()?))) {
        let _ = writeln!(
            page,
            "{} was selected {} ago: {}.",
            text(&event["server"]),
            age(event, now_ns),
            words(reason)
        );
    }
    for server in list(&document["servers"]) {
        one_server(page, server);
    }
}

fn one_server(page: &mut String, server: &Value) {
    let _ = write!(page, "\n{}: {}", text(&server["address"]), text(&server["state"]));
    if let Some(reason) = server["reason"].as_str() {
        let _ = write!(page, ", {}", words(reason));
    }
    if let (Some(offset), Some(bound)) = (server["estimated_offset_ns"].as_f64(), server["bound_ns"].as_f64())
    {
        let sign = if offset < 0.0 { '-' } else { '+' };
        let _ = write!(page, "; offset {sign}{} ± {}", time(offset.abs()), time(bound));
    }
    let _ = writeln!(page);
    let announce = &server["announce"];
    if announce.is_object() {
        let _ = write!(
            page,
            "  time of {}, stepsRemoved {}, clock class {}, accuracy {}, source {}",
            text(&announce["grandmaster_identity"]),
            announce["steps_removed"],
            announce["clock_class"],
            announce["clock_accuracy"],
            announce["time_source"]
        );
        let _ = match (announce["ptp_timescale"] == true, announce["current_utc_offset"].as_i64()) {
            (true, Some(offset)) => writeln!(page, ", TAI, which is UTC + {offset} s"),
            (true, None) => writeln!(page, ", TAI"),
            (false, _) => writeln!(page, ", a timescale of its own"),
        };
    }
    let _ = writeln!(page, "  grants: {}", grants(&server["grants"]));
}

fn server(page: &mut String, document: &Value) {
    let count = document["totals"]["clients"].as_u64().unwrap_or_default();
    let clients = if count == 1 { "client" } else { "clients" };
    let _ = write!(page, "{} is a server of {count} {clients}", text(&document["interface"]));
    let _ = write!(page, ", clock class {}, ", document["clock_class"]);
    let _ = match (document["ptp_timescale"] == true, document["current_utc_offset"].as_i64()) {
        (true, Some(offset)) => writeln!(page, "TAI, which is UTC + {offset} s."),
        (true, None) => writeln!(page, "TAI."),
        (false, _) => writeln!(page, "a timescale of its own: the kernel does not know TAI - UTC."),
    };
    let listed = list(&document["clients"]);
    for client in listed.iter().take(LISTED_CLIENTS) {
        let _ = writeln!(
            page,
            "\n{} ({})\n  grants: {}",
            text(&client["address"]),
            text(&client["port_identity"]),
            grants(&client["grants"])
        );
    }
    let more = count.saturating_sub(listed.len().min(LISTED_CLIENTS) as u64);
    if more > 0 {
        let _ = writeln!(page, "\n… and {more} more: `ptp-ctl clients` has them.");
    }
}

fn stamps(page: &mut String, document: &Value) {
    let _ = write!(page, "\nData plane {}", text(&document["data_plane"]));
    if let Some(mode) = document["xdp_mode"].as_str() {
        let _ = write!(page, " ({mode})");
    }
    let _ = write!(page, ", RX stamps {}", text(&document["rx_timestamp_source"]));
    if let Some(reason) = document["rx_timestamp_reason"].as_str() {
        let _ = write!(page, " ({reason})");
    }
    let _ = write!(page, ", TX stamps {}", text(&document["tx_timestamp_source"]));
    let planes = (document["sync_plane"].as_str(), document["delay_resp_plane"].as_str());
    if let (Some(sync), Some(delay_resp)) = planes {
        let _ = write!(page, ", Sync from the {sync} plane, Delay_Resp from {delay_resp}");
    }
    page.push_str(".\n");
}

fn process(page: &mut String, document: &Value) {
    let process = &document["process"];
    let _ = write!(page, "It runs as {}", text(&process["user"]));
    if let Some(names) = process["capabilities"].as_array() {
        let _ = write!(page, " with {}", capabilities_text(names.iter().map(text)));
    }
    match process["realtime_priority"].as_u64() {
        Some(0) | None => {}
        Some(priority) => {
            let _ = write!(page, ", with real-time priority {priority}");
        }
    }
    match process["fan_out_realtime_priority"].as_u64() {
        None => {}
        Some(0) => page.push_str(", what sends for the massive plane without real-time priority"),
        Some(priority) => {
            let _ = write!(page, ", what sends for the massive plane with real-time priority {priority}");
        }
    }
    if process["memory_locked"] == true {
        page.push_str(", its memory locked");
    }
    page.push_str(".\n");
}

fn events(page: &mut String, document: &Value, now_ns: u64) {
    let history = list(&document["history"]);
    let last = history.iter().rev().take(LISTED_EVENTS);
    for (index, event) in last.enumerate() {
        if index == 0 {
            page.push_str("\nLast events:\n");
        }
        let _ = write!(page, "  {:>10} ago  {}", age(event, now_ns), text(&event["event"]));
        for part in ["server", "reason", "detail"] {
            if let Some(text) = event[part].as_str() {
                let _ = write!(page, "  {text}");
            }
        }
        page.push('\n');
    }
}

/// Announce, Sync and Delay_Resp: what there is of each and for how long.
fn grants(grants: &Value) -> String {
    let one = |(key, name): (&str, &str)| {
        let grant = &grants[key];
        match (grant["log_interval"].as_i64(), grant["expires_in_s"].as_f64()) {
            (Some(log), Some(left)) => format!("{name} {}, {left:.0} s left", rate(log)),
            _ => format!("{name} {}", text(&grant["state"])),
        }
    };
    [("announce", "Announce"), ("sync", "Sync"), ("delay_resp", "Delay_Resp")].map(one).join("; ")
}

fn last_event(document: &Value, wanted: impl Fn(&Value) -> bool) -> Option<&Value> {
    list(&document["history"]).iter().rev().find(|event| wanted(event))
}
