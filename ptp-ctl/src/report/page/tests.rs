use super::*;
use serde_json::json;

const NOW: u64 = 10_000_000_000_000;

fn grants() -> Value {
    let grant =
        |log: i64| json!({"state": "granted", "log_interval": log, "duration_s": 300, "expires_in_s": 210.4});
    json!({"announce": grant(1), "sync": grant(-3), "delay_resp": {"state": "denied", "log_interval": null, "expires_in_s": null}})
}

#[test]
fn a_client() {
    let document = json!({
        "role": "client", "interface": "eth0", "data_plane": "xdp", "xdp_mode": "native", "rx_timestamp_source": "xdp-sw",
        "rx_timestamp_reason": null, "tx_timestamp_source": "socket-sw",
        "clock": {"kind": "system", "frequency_ppb": -18_342.14},
        "process": {"user": "ptp", "uid": 999, "capabilities": ["CAP_NET_ADMIN", "CAP_SYS_TIME"], "realtime_priority": 50,
            "fan_out_realtime_priority": null, "memory_locked": true},
        "state": "locked", "selected_server": "10.0.1.2", "offset_ns": 400.0, "path_delay_ns": 61_230.0,
        "estimated_offset_ns": -120.4, "bound_ns": 850.0, "asymmetry_bound_ns": 61_000.0,
        "servers": [
            {"address": "10.0.1.2", "state": "selected", "reason": null, "estimated_offset_ns": -120.4, "bound_ns": 850.0,
                "announce": {"grandmaster_identity": "020000.fffe.000001", "steps_removed": 1, "clock_class": 6,
                    "clock_accuracy": 33, "time_source": 32, "ptp_timescale": true, "current_utc_offset": 37},
                "grants": grants()},
            {"address": "10.0.2.2", "state": "unusable", "reason": "announce_timeout", "estimated_offset_ns": null,
                "bound_ns": null, "announce": null, "grants": grants()},
        ],
        "history": [
            {"time_ns": NOW - 600_000_000_000, "event": "selected", "server": "10.0.1.2", "reason": "better_server", "detail": null},
            {"time_ns": NOW - 30_000_000_000, "event": "state", "server": null, "reason": "servo_locked", "detail": "locked"},
        ],
    });
    let expected = "\
eth0 is a client of 10.0.1.2: locked, for 30 s.
Its system clock is 120 ns behind, give or take 850 ns with 99 % certainty; unequal ways can add up to 61.0 us to that.
The path takes 61.2 us. The clock is steered by -18342.1 ppb.
10.0.1.2 was selected 10 min ago: better server.

10.0.1.2: selected; offset -120 ns ± 850 ns
  time of 020000.fffe.000001, stepsRemoved 1, clock class 6, accuracy 33, source 32, TAI, which is UTC + 37 s
  grants: Announce every 2 s, 210 s left; Sync 8/s, 210 s left; Delay_Resp denied

10.0.2.2: unusable, announce timeout
  grants: Announce every 2 s, 210 s left; Sync 8/s, 210 s left; Delay_Resp denied

Data plane xdp (native), RX stamps xdp-sw, TX stamps socket-sw.
It runs as ptp with CAP_NET_ADMIN and CAP_SYS_TIME, with real-time priority 50, its memory locked.

Last events:
        30 s ago  state  servo_locked  locked
      10 min ago  selected  10.0.1.2  better_server
";
    assert_eq!(page(&document, NOW), expected);
}

#[test]
fn a_client_that_only_measures() {
    let document = json!({"role": "client", "interface": "eth0", "state": "free-running", "selected_server": null,
        "clock": {"kind": "none", "frequency_ppb": 0.0}});
    let page = page(&document, NOW);
    assert!(
        page.starts_with("eth0 is a client without a server: free-running.\nNothing is steered.\n"),
        "{page}"
    );
}

#[test]
fn a_server_of_many() {
    let clients =
        vec![json!({"address": "10.0.9.9", "port_identity": "02-1", "grants": grants()}); LISTED_CLIENTS + 3];
    let document = json!({"role": "server", "interface": "eth0", "ptp_timescale": false, "current_utc_offset": null,
        "clock_class": 248, "totals": {"clients": 1_000}, "clients": clients,
        "process": {"user": "root", "uid": 0, "capabilities": null, "realtime_priority": 0, "fan_out_realtime_priority": 1,
            "memory_locked": false}});
    let page = page(&document, NOW);
    let first = "eth0 is a server of 1000 clients, clock class 248, a timescale of its own: the kernel does not know TAI - UTC.\n";
    assert!(page.starts_with(first), "{page}");
    assert!(page.contains("\n… and 980 more: "), "{page}");
    let runs = "It runs as root, what sends for the massive plane with real-time priority 1.\n";
    assert!(page.contains(runs), "{page}");
}
