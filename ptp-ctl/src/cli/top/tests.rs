use super::history::History;
use super::view::{Screen, View, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const NOW: u64 = 10_000_000_000_000;

fn grants() -> Value {
    let grant = |log: i64| json!({"state": "granted", "log_interval": log, "expires_in_s": 210.4});
    json!({"announce": grant(1), "sync": grant(-3), "delay_resp": {"state": "denied", "log_interval": null, "expires_in_s": null}})
}

fn client(offset: f64) -> Value {
    json!({
        "version": 1, "role": "client", "interface": "eth0", "data_plane": "xdp", "xdp_mode": "native",
        "rx_timestamp_source": "xdp-sw", "tx_timestamp_source": "socket-sw",
        "clock": {"kind": "system", "frequency_ppb": -18_342.14},
        "state": "locked", "selected_server": "10.0.1.2", "offset_ns": 400.0, "path_delay_ns": 61_230.0,
        "estimated_offset_ns": offset, "bound_ns": 850.0,
        "servers": [
            {"address": "10.0.1.2", "state": "selected", "reason": null, "estimated_offset_ns": offset, "bound_ns": 850.0,
                "path_delay_ns": 61_230.0, "announce": {"clock_class": 6}, "grants": grants()},
            {"address": "2001:db8:1:2::3", "state": "unusable", "reason": "announce_timeout", "grants": grants()},
        ],
        "counters": {"xdp": {"taken": 1_000, "not_ptp": 0}, "engine": {"sync": 900}},
        "history": [
            {"time_ns": NOW - 600_000_000_000, "event": "selected", "server": "10.0.1.2", "reason": "better_server", "detail": null},
            {"time_ns": NOW - 30_000_000_000, "event": "state", "server": null, "reason": "servo_locked", "detail": "locked"},
        ],
    })
}

fn server(answered: u64) -> Value {
    json!({
        "version": 1, "role": "server", "interface": "eth0", "data_plane": "xdp", "xdp_mode": "native",
        "rx_timestamp_source": "xdp-sw", "tx_timestamp_source": "socket-sw", "clock": {"kind": "system", "frequency_ppb": 0.0},
        "clock_class": 6, "totals": {"clients": 1, "announce": 1, "sync": 1, "delay_resp": 1},
        "clients": [{"address": "10.0.3.4", "port_identity": "020000.fffe.000001-1", "grants": grants()}],
        "counters": {"xdp": {"answered": answered}}, "history": [],
    })
}

/// Everything that was heard, a second apart.
fn heard(documents: impl IntoIterator<Item = Value>) -> History {
    let (mut history, start) = (History::default(), Instant::now());
    for (second, document) in documents.into_iter().enumerate() {
        history.push_at(start + Duration::from_secs(second as u64), document).expect("this version");
    }
    history
}

/// The lines of the screen.
fn screen(size: (u16, u16), screen: Screen, history: &History) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal");
    let screen = Screen { now_ns: NOW, ..screen };
    terminal.draw(|frame| draw(frame, &screen, history)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let cells: Vec<&str> = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
    cells.chunks(size.0.into()).map(|line| line.concat().trim_end().to_owned()).collect()
}

#[track_caller]
fn assert_shows(lines: &[String], wanted: &[&str]) {
    for words in wanted {
        assert!(lines.iter().any(|line| line.contains(words)), "no {words:?} in\n{}", lines.join("\n"));
    }
}

#[test]
fn a_client_fits_on_a_small_terminal() {
    let history = heard((0..100).map(|second| client(f64::from(second) * 10.0 - 500.0)));
    let lines = screen((80, 24), Screen::new("eth0"), &history);
    assert_eq!(lines[0], "eth0  client  locked  to 10.0.1.2  offset +490 ns ± 850 ns  path 61.2 us");
    assert_shows(
        &lines,
        &[
            "clock system -18342.1 ppb  plane xdp native  RX xdp-sw  TX socket-sw",
            "offset and its 99 % bound",
            "path delay",
            "10.0.1.2        selected          6     +490 ns    850 ns   61.2 us  210/210/-",
            "2001:db8:1:2::3 unusable: announc",
            "10 min ago  selected  10.0.1.2  better_server",
            "30 s ago  state  servo_locked  locked",
            "1 overview  2 servers  3 counters  4 events  ? help  q end",
        ],
    );
    assert!(
        lines.iter().any(|line| line.contains('⠤') || line.contains('⡠') || line.contains('⠊')),
        "a curve"
    );
}

#[test]
fn every_view_says_what_it_is_for() {
    let history = heard((0..3).map(|_| client(12.0)));
    let view = |view| screen((80, 24), Screen { view, ..Screen::new("eth0") }, &history);
    assert_shows(&view(View::Peers), &["every 2 s  8/s        denied"]);
    assert_shows(&view(View::Counters), &["xdp taken", "1000", "engine sync"]);
    assert!(!view(View::Counters).iter().any(|line| line.contains("not_ptp")), "zeros are left out");
    assert_shows(&view(View::Events), &["30 s ago  state"]);
    let help = screen((80, 24), Screen { help: true, ..Screen::new("eth0") }, &history);
    assert_shows(&help, &["q, Esc, Ctrl-C"]);
}

#[test]
fn a_server_shows_rates_and_clients() {
    let history = heard([server(1_000), server(3_000)]);
    let lines = screen((80, 24), Screen::new("eth0"), &history);
    assert_shows(
        &lines,
        &["server", "clockClass 6  1 clients", "messages a second", "10.0.3.4", "8/s, 210 s", "2 clients"],
    );
    let counters = screen((80, 24), Screen { view: View::Counters, ..Screen::new("eth0") }, &history);
    assert_shows(&counters, &["2000/s"]);
}

#[test]
fn nothing_yet_and_trouble_are_said() {
    let history = History::default();
    let trouble = Some("no controller runs on eth0: waiting for one".to_owned());
    let lines = screen((80, 24), Screen { trouble, ..Screen::new("eth0") }, &history);
    assert_eq!(lines[23], "no controller runs on eth0: waiting for one");
    let mut history = history;
    let mut other = client(0.0);
    other["version"] = 99.into();
    assert!(history.push(other).is_err());
}

/// Whatever the size, nothing panics.
#[test]
fn any_size_will_do() {
    let client = heard((0..20).map(|second| client(f64::from(second))));
    let server = heard([server(1), server(2)]);
    for size in [(1, 1), (3, 2), (20, 5), (80, 24), (300, 100)] {
        for view in View::ALL {
            screen(size, Screen { view, ..Screen::new("eth0") }, &client);
            screen(size, Screen { view, ..Screen::new("eth0") }, &server);
        }
    }
}
