use super::*;
use std::path::Path;

/// The book's page that lists them.
const PAGE: &str = "metrics.md";

fn docs(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// As it stands in the text.
fn full_name(metric: &Metric) -> String {
    format!("ptp_{}{}", metric.name, if metric.is_counter { "_total" } else { "" })
}

/// The reference, as it must be in the book.
fn reference() -> String {
    let mut table = String::from("| metric | |\n| --- | --- |\n");
    for metric in METRICS {
        table += &format!("| `{}` | {} |\n", full_name(metric), metric.help);
    }
    table + &format!("| `ptp_{}` | {}: a histogram |\n", OFFSETS.name, OFFSETS.help)
}

#[test]
fn the_book_lists_all_and_nothing_else() {
    let (page, reference) = (docs(PAGE), reference());
    assert!(page.contains(&reference), "docs/{PAGE} should have\n{reference}");
    let rest = page.replace(&reference, "");
    let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    // Another name in the prose would be that of a metric that is gone.
    let is_listed = |word: &str| reference.contains(&format!("`{word}`"));
    let unknown = words.find(|word| word.starts_with("ptp_") && !is_listed(word));
    assert_eq!(unknown, None, "docs/{PAGE}");
}

#[test]
fn rules_and_dashboard_name_what_there_is() {
    let mut known: Vec<String> = METRICS.iter().map(full_name).collect();
    known.push(format!("ptp_{}_bucket", OFFSETS.name));
    for file in ["grafana/ptp-ctl.rules.yml", "grafana/ptp-ctl.json"] {
        let text = docs(file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: Vec<&str> = words.filter(|word| word.starts_with("ptp_")).collect();
        assert!(names.len() > 5, "{file}");
        for name in names {
            assert!(known.iter().any(|known| known == name), "{file}: there is no {name}");
        }
    }
    serde_json::from_str::<serde_json::Value>(&docs("grafana/ptp-ctl.json")).unwrap();
}

#[test]
fn values_that_are_not_known_are_left_out() {
    let mut exposition = Exposition(Registry::with_prefix("ptp"));
    exposition.add_one(OFFSET, None);
    exposition.add_one(BOUND, Some(2.5e-7));
    exposition.add(XDP, [(vec![("outcome", "taken".to_owned())], Some(3.0))]);
    let offsets = Offsets::default();
    offsets.observe(-700.0);
    exposition.0.register(OFFSETS.name, OFFSETS.help, offsets.0);
    let mut text = String::new();
    text::encode(&mut text, &exposition.0).unwrap();
    assert!(!text.contains("ptp_offset_seconds"), "{text}");
    for line in [
        "ptp_offset_bound_seconds 2.5e-7",
        "ptp_xdp_frames_total{outcome=\"taken\"} 3.0",
        "ptp_measured_offset_seconds_bucket{le=\"0.000001\"} 1",
        "ptp_measured_offset_seconds_bucket{le=\"5e-7\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_event_is_counted_under_its_name() {
    let mut events = Events::default();
    for (count, kind) in (1..).zip(Kind::ALL) {
        (0..count).for_each(|_| events.count(kind));
    }
    let mut exposition = Exposition(Registry::with_prefix("ptp"));
    exposition.add_events(&events);
    let mut text = String::new();
    text::encode(&mut text, &exposition.0).unwrap();
    for (count, kind) in (1..).zip(&Kind::ALL) {
        let line = format!("ptp_events_total{{event=\"{}\"}} {count}.0", name(kind));
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
    let declared = schemars::schema_for!(Kind).to_value()["oneOf"].as_array().map(Vec::len);
    assert_eq!(declared, Some(Kind::ALL.len()), "Kind::ALL lacks one");
}
