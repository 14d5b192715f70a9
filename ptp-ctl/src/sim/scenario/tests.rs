use super::*;
use crate::engine::event::Kind;
use crate::sim::statistics::Sample;

const SERVER: &str = "[[server]]\nto-client.delay = [{ constant = 10e3 }, { exponential = 100 }]\n";

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(text, path::Path::new(""))
}

/// A scenario with one server and this before it.
fn with(head: &str) -> Result<Scenario, ScenarioError> {
    parse(&format!("{head}\n{SERVER}"))
}

fn play(head: &str) -> Run {
    with(head).expect("it is right").run(1)
}

#[test]
fn mistakes_are_called_by_their_keys() {
    let table = [
        ("duration = 0", "duration = 0: must be 1 to 1e9 s"),
        ("duration = 100\nmeasure-from = 99.5", "measure-from = 99.5"),
        ("settled-within = 0", "settled-within = 0"),
        ("mask = [[1, 100]]", "mask = 1"),
        ("colour = 1", "unknown field `colour`"),
        ("duration = \"long\"", "invalid type: string \"long\""),
        ("[oscillator]\nrandom-walk = -1", "oscillator.random-walk = -1: must be 0 or more"),
        ("[oscillator]\ntemperature = { amplitude = 5, period = 0 }", "oscillator.temperature.period = 0"),
        ("[stamps]\ntx-loss = 2", "stamps.tx-loss = 2: must be 0 to 1"),
        ("[stamps]\ngranularity = 0", "stamps.granularity = 0"),
        ("[client]\nlog-sync-interval = -9", "client.log-sync-interval = -9: must be -7 to 6"),
        ("[client]\nlog-sync = 1", "unknown field `log-sync`"),
        ("[[event]]\nat = 5\nserver = 2\nwhat = \"server-off\"", "event[1].server = 2"),
        ("[[event]]\nat = 5\nwhat = \"explode\"", "unknown variant `explode`"),
        ("[[event]]\nat = 5\nwhat = { route-change = { there = 5 } }", "unknown field `there`"),
        ("[[event]]\nat = 5\nwhat = { time-jump = inf }", "event[1].what.time-jump = inf: must be a number"),
    ];
    for (head, expected) in table {
        let error = with(head).expect_err(head).to_string();
        assert!(error.contains(expected), "{head}: {error}");
    }
}

#[test]
fn mistakes_in_paths_are_called_by_their_places() {
    let table = [
        ("to-client.delay = []", "server[1].to-client.delay = []: must list 1 term"),
        ("to-client.delay = [{ exponential = -5 }]", "server[1].to-client.delay[1].exponential = -5"),
        (
            "to-client.delay = [{ constant = 1 }]\nto-server.delay = [{ uniform = { from = 3, to = 2 } }]",
            "server[1].to-server.delay[1].uniform.to = 2: must not be less than `from`",
        ),
        (
            "to-client.delay = [{ mixture = [{ weight = 1, delay = [{ gamma = { shape = 0, scale = 1 } }] }] }]",
            "server[1].to-client.delay[1].mixture[1].delay[1].gamma.shape = 0: must be more than 0",
        ),
        ("to-client.delay = [{ poisson = 5 }]", "unknown variant `poisson`"),
        ("to-client = { delay = [{ constant = 1 }], loss = 1.5 }", "server[1].to-client.loss = 1.5"),
        (
            "to-client = { delay = [{ constant = 1 }], load = { points = [[5, 0.1], [4, 0.1]] } }",
            "server[1].to-client.load.points[2] = 4",
        ),
        (
            "to-client = { delay = [{ constant = 1 }], load = { points = [[5, 1]] } }",
            "a load must be 0 to below 1",
        ),
        (
            "to-client.delay = [{ trace = \"/nowhere\" }]",
            "server[1].to-client.delay[1].trace: cannot read /nowhere",
        ),
        ("clock-class = 300\nto-client.delay = [{ constant = 1 }]", "server.clock-class = 300"),
        ("clock = 1\nto-client.delay = [{ constant = 1 }]", "unknown field `clock`"),
        ("offset = 1", "missing field `to-client`"),
    ];
    for (server, expected) in table {
        let error = parse(&format!("[[server]]\n{server}\n")).expect_err(server).to_string();
        assert!(error.contains(expected), "{server}: {error}");
    }
    assert!(parse("").expect_err("no server").to_string().contains("there must be 1 [[server]] at least"));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let scenario =
        with("duration = 60\n[oscillator]\nrandom-walk = 1\nwhite-noise = 1").expect("it is right");
    let errors = |seed| scenario.run(seed).samples;
    assert_eq!(errors(7), errors(7));
    assert_ne!(errors(7), errors(8));
}

#[test]
fn what_others_do_alters_no_chance_of_the_oscillator() {
    let head = "duration = 30\n[oscillator]\nrandom-walk = 1\n[[event]]\nat = 0\nwhat = \"network-down\"";
    let errors = |head: &str| play(head).samples.iter().map(|sample| sample.error_ns).collect::<Vec<_>>();
    assert_eq!(errors(head), errors(&format!("{head}\n{SERVER}")));
}

#[test]
fn the_client_locks_and_is_measured() {
    let scenario = with("duration = 60\n[oscillator]\noffset = 10e6\nfrequency = 10e3").expect("it is right");
    let run = scenario.run(1);
    assert_eq!(run.samples.len(), 60);
    let statistics = run.statistics(&scenario);
    assert!(statistics.rms_ns < 50.0, "{} ns", statistics.rms_ns);
    assert!(statistics.settled_s.is_some_and(|settled| settled <= 3.0), "{:?}", statistics.settled_s);
    assert!(run.events.iter().any(|happening| happening.event.kind == Kind::Step));
}

#[test]
fn an_oscillator_does_what_it_is_told() {
    // Nobody answers: the clock is left to itself.
    let alone = |clock: &str| {
        play(&format!("duration = 100\n{clock}\n[[event]]\nat = 0\nwhat = \"network-down\"")).samples
    };
    let error = |samples: &[Sample], second: usize| samples[second - 1].error_ns;
    let constant = alone("[oscillator]\noffset = 500\nfrequency = 20");
    assert!((error(&constant, 100) - 2_500.0).abs() < 1e-6);
    // 864 ppb a day are 0.01 ppb a second, drawn at the start of each: 0.01 · (1 + … + 99).
    let ageing = alone("[oscillator]\nageing = 864");
    assert!((error(&ageing, 100) - 49.5).abs() < 1e-6, "{}", error(&ageing, 100));
    let temperature = alone("[oscillator]\ntemperature = { amplitude = 100, period = 100 }");
    // Half a period: 100 · 100/π.
    assert!((error(&temperature, 50) - 3_183.0).abs() < 10.0, "{}", error(&temperature, 50));
    assert!(error(&temperature, 100).abs() < 1e-6);
    let walk = alone("[oscillator]\nrandom-walk = 1");
    let white = alone("[oscillator]\nwhite-noise = 1");
    assert!(error(&walk, 100).abs() > error(&white, 100).abs());
}

#[test]
fn events_come_to_pass() {
    let run = play(
        "duration = 120\n[[event]]\nat = 20\nwhat = \"server-off\"\n[[event]]\nat = 40\nwhat = \"server-on\"\n\
         [[event]]\nat = 60\nwhat = \"network-down\"\n[[event]]\nat = 80\nwhat = \"network-up\"\n\
         [[event]]\nat = 100\nserver = 1\nwhat = { time-jump = 50e6 }",
    );
    let times = |kind| {
        let of_kind = run.events.iter().filter(move |happening| happening.event.kind == kind);
        of_kind.map(|happening| happening.at_s).collect::<Vec<_>>()
    };
    let lost = times(Kind::Unusable);
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost[0] > 20.0 && lost[0] < 25.0 && lost[1] > 60.0 && lost[1] < 65.0, "{lost:?}");
    let back = times(Kind::Usable);
    assert!(back.len() == 3 && back[1] > 40.0 && back[2] > 80.0, "{back:?}");
    let jumped = run.samples.last().expect("there are samples").error_ns;
    assert!((jumped - 50e6).abs() < 1e4, "{jumped} ns");
}

#[test]
fn a_route_change_in_one_direction_looks_like_an_offset() {
    // Nobody can tell it from one without knowing when it happened; the estimator does, and keeps the time.
    let run = play("duration = 200\n[[event]]\nat = 100\nwhat = { route-change = { to-client = 40e3 } }");
    assert!(
        run.events.iter().any(|happening| happening.event.kind == Kind::RouteChanged),
        "{:?}",
        run.events
    );
}

#[test]
fn coarse_and_noisy_stamps_cost_precision() {
    let rms = |stamps: &str| {
        let scenario = with(&format!("duration = 200\n[stamps]\n{stamps}")).expect("it is right");
        scenario.run(1).statistics(&scenario).rms_ns
    };
    let exact = rms("");
    assert!(rms("noise = 1000") > 3.0 * exact);
    assert!(rms("granularity = 4000") > 3.0 * exact);
}

#[test]
fn the_ready_made_scenarios_are_right() {
    let directory = path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let files = std::fs::read_dir(&directory).expect("they are there");
    let loaded: Vec<_> = files.map(|file| Scenario::load(&file.expect("it is readable").path())).collect();
    assert!(loaded.len() >= 5);
    for scenario in loaded {
        scenario.expect("it is right");
    }
}
