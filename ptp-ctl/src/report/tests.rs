use super::*;
use crate::engine::client::State;
use crate::engine::event::{Kind, Reason};
use crate::engine::{client, server};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn writing(writer: impl Write + Send + 'static) -> Reporter {
    let mut reporter = Reporter::new(Some(Sink::new(writer)));
    reporter.run(|| ()).unwrap();
    reporter
}

fn start() -> Start {
    let setup = Setup {
        role: "client",
        interface: "eth0".to_owned(),
        also_interfaces: vec!["eth1".to_owned()],
        local_addresses: vec!["192.0.2.1".parse().unwrap()],
        upstream_interface: None,
        data_plane: "xdp",
        xdp_mode: Some("native"),
        rx_timestamp_source: "xdp-sw",
        rx_timestamp_reason: None,
        tx_timestamp_source: "socket-sw",
        process: ProcessStatus { user: "root".to_owned(), ..ProcessStatus::default() },
        server: None,
    };
    Start { setup, clock: "virtual" }
}

fn event(kind: Kind) -> Event {
    Event {
        kind,
        peer: Some("10.0.1.2".parse().unwrap()),
        reason: Some(Reason::AnnounceTimeout),
        detail: None,
    }
}

fn sample(offset_ns: f64, selected: bool) -> Sample {
    Sample {
        server: "10.0.1.2".parse().unwrap(),
        selected,
        used: selected,
        offset_ns,
        path_delay_ns: 10_000.0,
        estimated_offset_ns: Some(-2.25),
        bound_ns: Some(100.0),
        frequency_ppb: 20.5,
        state: State::Locked,
        stamps: STAMPS,
    }
}

const STAMPS: client::Stamps = client::Stamps {
    t1: 1_000,
    t2: 11_010,
    t3: 20_000,
    t4: 30_005,
    sync_correction: 1.5,
    delay_correction: 0.0,
};

#[test]
fn lines_are_what_the_documentation_says() {
    let written = Shared::default();
    let mut reporter = writing(written.clone());
    reporter.start(1, &start());
    reporter.event(2, event(Kind::Unusable));
    reporter.sample(3, &sample(-12.5, true));
    reporter.clock(4, &ClockReading { true_error_ns: 5.5, frequency_ppb: -1.25 });
    drop(reporter);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines,
        [
            json!({"type": "start", "time_ns": 1, "role": "client", "interface": "eth0",
                "also_interfaces": ["eth1"], "local_addresses": ["192.0.2.1"], "data_plane": "xdp",
                "xdp_mode": "native", "rx_timestamp_source": "xdp-sw", "rx_timestamp_reason": null, "tx_timestamp_source": "socket-sw",
                "process": {"user": "root", "uid": 0, "capabilities": null, "realtime_priority": 0,
                    "fan_out_realtime_priority": null, "memory_locked": false},
                "clock": "virtual"}),
            json!({"type": "event", "time_ns": 2, "event": "unusable", "server": "10.0.1.2",
                "reason": "announce_timeout", "detail": null}),
            json!({"type": "sample", "time_ns": 3, "server": "10.0.1.2", "selected": true, "used": true,
                "offset_ns": -12.5, "path_delay_ns": 10_000.0,
                "estimated_offset_ns": -2.25, "bound_ns": 100.0, "frequency_ppb": 20.5, "state": "locked"}),
            json!({"type": "clock", "time_ns": 4, "true_error_ns": 5.5, "frequency_ppb": -1.25}),
        ]
    );
}

#[test]
fn history_is_bounded() {
    let mut reporter = Reporter::new(None);
    for time_ns in 0..HISTORY as u64 + 5 {
        reporter.event(time_ns, event(Kind::Usable));
    }
    assert_eq!(reporter.history().len(), HISTORY);
    assert_eq!(reporter.history().front().unwrap().time_ns, 5);
}

#[test]
fn a_closed_output_is_noticed() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut reporter = writing(Closed);
    assert!(!Reporter::new(None).reader_gone());
    reporter.start(1, &start());
    while !reporter.reader_gone() {
        std::thread::yield_now();
    }
}

#[test]
fn client_document() {
    let mut reporter = Reporter::new(None);
    reporter.event(7, event(Kind::Selected));
    let document = Document {
        version: VERSION,
        running: true,
        time_ns: 9,
        setup: &start().setup,
        clock: ClockStatus { kind: "virtual", frequency_ppb: 1.5, true_error_ns: Some(-2.5) },
        system_clock: None,
        second_clock: None,
        status: RoleStatus::Client(client::Status {
            state: State::FreeRunning,
            selected_server: None,
            offset_ns: None,
            path_delay_ns: None,
            estimated_offset_ns: None,
            bound_ns: None,
            asymmetry_bound_ns: None,
            switch_left_ns: 0.0,
            frequency_ppb: 1.5,
            servers: Vec::new(),
        }),
        counters: Counters {
            xdp: [("taken", 3), ("fragment", 0)].into_iter().collect(),
            ..Counters::default()
        },
        history: reporter.history(),
        history_withheld: reporter.withheld(),
    };
    assert_eq!(
        serde_json::to_value(&document).unwrap(),
        json!({"version": 1, "running": true, "time_ns": 9, "role": "client", "interface": "eth0",
                "also_interfaces": ["eth1"], "local_addresses": ["192.0.2.1"], "data_plane": "xdp",
            "xdp_mode": "native", "rx_timestamp_source": "xdp-sw", "rx_timestamp_reason": null, "tx_timestamp_source": "socket-sw",
            "process": {"user": "root", "uid": 0, "capabilities": null, "realtime_priority": 0,
                "fan_out_realtime_priority": null, "memory_locked": false},
            "clock": {"kind": "virtual", "frequency_ppb": 1.5, "true_error_ns": -2.5},
            "system_clock": null,
            "state": "free-running", "selected_server": null, "offset_ns": null, "path_delay_ns": null,
            "estimated_offset_ns": null, "bound_ns": null, "asymmetry_bound_ns": null,
            "switch_left_ns": 0.0, "frequency_ppb": 1.5, "servers": [],
            "counters": {"xdp": {"taken": 3, "fragment": 0}, "fan_out": {}, "records": {}, "rx": {}, "tx": {}, "engine": {},
                "clock": {}},
            "history": [{"time_ns": 7, "event": "selected", "server": "10.0.1.2", "reason": "announce_timeout",
                "detail": null}], "history_withheld": 0})
    );
}

#[test]
fn server_document() {
    let reporter = Reporter::new(None);
    let document = Document {
        version: VERSION,
        running: true,
        time_ns: 9,
        setup: &Setup { role: "server", xdp_mode: None, data_plane: "socket", ..start().setup },
        clock: ClockStatus { kind: "none", frequency_ppb: 0.0, true_error_ns: None },
        system_clock: None,
        second_clock: None,
        status: RoleStatus::Server(server::Status {
            ptp_timescale: false,
            current_utc_offset: None,
            standing: None,
            announced: server::Announced { clock_class: 248, ..server::Announced::default() },
            promised_rate: 0.0,
            totals: server::Totals::default(),
            clients: Vec::new(),
        }),
        counters: Counters::default(),
        history: reporter.history(),
        history_withheld: reporter.withheld(),
    };
    let value = serde_json::to_value(&document).unwrap();
    assert_eq!(value["role"], "server");
    assert_eq!(value["xdp_mode"], Value::Null);
    assert_eq!(value["clock"], json!({"kind": "none", "frequency_ppb": 0.0, "true_error_ns": null}));
    assert_eq!(value["clients"], json!([]));
    assert_eq!(value["ptp_timescale"], false);
}

#[test]
fn documents_are_as_the_schema_has_them() {
    let fields = schema::Fields::new();
    let mut document = json!({"version": 1, "running": false, "time_ns": 9, "interface": "eth0", "data_plane": null, "xdp_mode": null,
        "counters": null});
    assert_eq!(fields.mistakes(&document), Vec::<String>::new());
    document["counters"] = json!({"xdp": {"taken": 1}});
    assert_eq!(fields.mistakes(&document), Vec::<String>::new());
    document["counters"]["xdp"]["taken"] = "many".into();
    document["state"] = "lost".into();
    document["news"] = 1.into();
    let mistakes = fields.mistakes(&document);
    for part in ["counters.xdp.* is \"many\"", "state is \"lost\"", "news is not in the schema"] {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(part)), "{part}: {mistakes:?}");
    }
}

#[test]
fn document_of_a_pinned_program() {
    let document = PinnedDocument {
        version: VERSION,
        running: false,
        time_ns: 9,
        interface: "eth0",
        data_plane: Some("xdp"),
        xdp_mode: Some("generic"),
        counters: Some(PinnedCounters { xdp: [("taken", 1)].into_iter().collect() }),
    };
    assert_eq!(
        serde_json::to_value(&document).unwrap(),
        json!({"version": 1, "running": false, "time_ns": 9, "interface": "eth0", "data_plane": "xdp", "xdp_mode": "generic",
            "counters": {"xdp": {"taken": 1}}})
    );
}

#[test]
fn text_for_people() {
    assert_eq!(EventText(&event(Kind::Unusable)).to_string(), "unusable 10.0.1.2 (announce_timeout)");
    let step = Event { kind: Kind::Step, peer: None, reason: None, detail: Some("-3 ms".to_owned()) };
    assert_eq!(EventText(&step).to_string(), "step: -3 ms");
    assert_eq!(
        start().to_string(),
        "client on eth0, eth1, as 192.0.2.1: data plane xdp (native), RX stamps xdp-sw, TX stamps socket-sw, clock virtual"
    );
    let mut summary = Summary::default();
    assert!(summary.take().is_none());
    summary.add(&sample(30.0, true));
    summary.add(&sample(-40.0, true));
    summary.add(&sample(9999.0, false));
    assert_eq!(
        summary.take().unwrap().to_string(),
        "locked 10.0.1.2: offset -40 ns (rms 35 ns, max 40 ns of 2), path delay 10000 ns, frequency +20.5 ppb"
    );
    assert!(summary.take().is_none());
}

#[test]
fn no_more_is_told_of_grants_than_can_be_read() {
    let shared = Shared::default();
    let mut reporter = writing(shared.clone());
    for number in 0..1_000 {
        reporter.event(number, event(Kind::Granted));
    }
    reporter.event(1_000, event(Kind::Step));
    assert_eq!(reporter.withheld(), 800);
    // A second later there is room again.
    reporter.event(1_000_001_000, event(Kind::Expired));
    assert_eq!(reporter.withheld(), 800);
    assert_eq!(reporter.history().iter().filter(|entry| entry.event.kind == Kind::Step).count(), 1);
}
