use super::*;
use crate::engine::client::Stamps;
use std::net::IpAddr;

const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, 1));
const EPOCH: u64 = 1_800_000_000_000_000_000;

/// Exchange number `number` of a client that is 5 ms ahead, runs 20 ppm fast, and whose clock was set back by 4 ms before
/// number 5. The way to it takes 1000 + `number` ns, the way back 2000 + `number`.
fn record(number: u64) -> Record {
    let t1 = EPOCH + number * 125_000_000;
    let offset = |truth: u64| {
        let set = if number >= 5 { -4e6 } else { 0.0 };
        (5e6 + set + (truth - EPOCH) as f64 * 20e-6).round()
    };
    let local = |truth: u64| truth + offset(truth) as u64;
    let (arrival, departure) = (t1 + 1_000 + number, t1 + 60_000_000);
    let t4 = departure + 2_000 + number;
    Record {
        server: SERVER,
        stamps: Stamps {
            t1,
            // The network has corrected 100 ns and 50 ns.
            t2: local(arrival) + 100,
            t3: local(departure),
            t4: t4 + 50,
            sync_correction: 100.0,
            delay_correction: 50.0,
        },
        estimated_offset: Some(offset(t4)),
    }
}

#[test]
fn the_clock_is_taken_out_of_a_record() {
    let mut records: Vec<Record> = (0..10).map(record).collect();
    records.insert(3, Record { server: "10.0.2.1".parse().expect("an address"), ..record(3) });
    records[1].estimated_offset = None;
    for (way, base) in [(Way::ToClient, 1_000.0), (Way::ToServer, 2_000.0)] {
        let delays = recorded(&records, way);
        assert_eq!(delays.len(), 9);
        // Those after the beginning and after the clock was set miss the rate: 20 ppm over up to 60 ms.
        for &(at, delay) in &delays {
            let number = (at / 0.125).floor();
            let missed = if number == 0.0 || number == 5.0 { 1_210.0 } else { 2.0 };
            assert!((delay - base - number).abs() < missed, "{way:?} at {at} s: {delay} ns");
        }
    }
}

#[test]
fn a_record_is_replayed_by_its_times() {
    let timed = Delays::Timed(vec![(0.0, 100.0), (1.0, 200.0), (2.0, 300.0)]);
    let trace = Trace { file: PathBuf::new(), delays: Arc::new(timed) };
    let replayed = [0.0, 0.9, 1.0, 1.5, 2.0, 3.5].map(|at| trace.delay(at, 7));
    assert_eq!(replayed, [100.0, 100.0, 200.0, 200.0, 100.0, 200.0]);
}

#[test]
fn files_are_read_and_mistakes_are_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let load = |text: &str| {
        std::fs::write(directory.path().join("trace"), text).expect("it is writable");
        let mut trace = Trace::from(PathBuf::from("trace"));
        trace.load(directory.path(), Way::ToServer).map(|()| trace)
    };
    let lines: Vec<String> =
        (1..5).map(|number| serde_json::to_string(&record(number)).expect("it is JSON")).collect();
    let trace = load(&format!("# of yesterday\n{}\n", lines.join("\n"))).expect("it is a record");
    assert!((trace.delay(0.2, 0) - 2_002.0).abs() < 2.0, "{}", trace.delay(0.2, 0));
    assert_eq!(load("5\n 6.5 \n").expect("it is a list").delay(9.0, 3), 6.5);
    for (text, expected) in [
        ("5\nsix\n", "trace:2: \"six\" is no delay"),
        ("5\nNaN\n", "trace:2: \"NaN\" is no delay"),
        ("{\"t1\": 5}\n", "trace:1: "),
        ("# nothing\n", "no delays"),
        (lines[0].as_str(), "no delays"),
    ] {
        let error = load(text).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}
