//! Values of the `stats` document in words that people read.

use serde_json::Value;
use std::time::Duration;

/// A logInterMessagePeriod.
pub fn rate(log_interval: i64) -> String {
    let exponent = i32::try_from(log_interval).unwrap_or_default();
    match exponent {
        ..0 => format!("{:.0}/s", f64::from(-exponent).exp2()),
        _ => format!("every {:.0} s", f64::from(exponent).exp2()),
    }
}

/// How long ago an event was; `now_ns` is CLOCK_REALTIME.
pub fn age(event: &Value, now_ns: u64) -> String {
    let ago = now_ns.saturating_sub(event["time_ns"].as_u64().unwrap_or(now_ns));
    let seconds = Duration::from_nanos(ago).as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// ns in a unit that suits.
pub fn time(ns: f64) -> String {
    match ns {
        ..1e4 => format!("{ns:.0} ns"),
        1e4..1e7 => format!("{:.1} us", ns / 1e3),
        1e7..1e10 => format!("{:.1} ms", ns / 1e6),
        _ => format!("{:.1} s", ns / 1e9),
    }
}

/// A name of the document.
pub fn words(reason: &str) -> String {
    reason.replace('_', " ")
}

/// "?" where there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// Empty where there is none.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
