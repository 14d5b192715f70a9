//! The dashboard and the alert rules, with a Prometheus that asks a client and its servers.
//!
//! What Grafana does between dashboard and Prometheus is done here as its data source for Prometheus does it: a variable's
//! values become a regular expression, `$__rate_interval` a duration, and a panel asks for a moment or for a range.

use anyhow::{Context as _, Result, ensure};
use ptp_tests::netns::{Family, Host, Plane, World};
use ptp_tests::program::PtpCtl;
use ptp_tests::prometheus::{PROMETHEUS, Prometheus};
use ptp_tests::{Need, eventually, have};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const PROMTOOL: &str = "promtool";
const NEEDS: &[Need] =
    &[Need::Root, Need::Program("ip"), Need::Program(PROMETHEUS), Need::Program(PROMTOOL), Need::PtpCtl];
/// Longer than any of this takes on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u16 = 9319;
/// Of a data source that is asked every second: four scrapes.
const RATE_INTERVAL: &str = "4s";

/// Queries that may give nothing while all is well, by panel and reference, and why.
const EMPTY_WHILE_WELL: &[(&str, &str, &str)] = &[
    ("Changes of server, and other events", "A", "the one server was selected before the first scrape"),
    ("Dropped or not used", "A", "no frame is broken or comes from a stranger"),
    ("Dropped or not used", "B", "every message is used"),
    ("Dropped or not used", "C", "no stamp is lost, and no record is malformed"),
    ("Stamps lost, and what failed", "A", "every packet comes where it belongs, with its stamp"),
    ("Stamps lost, and what failed", "B", "every packet is sent, with its stamp"),
    ("Stamps lost, and what failed", "C", "no call of the clock fails"),
];
/// Those of them that nonsense to the servers' ports fills, and that the end of a server does.
const FILLED_BY_NONSENSE: &[(&str, &str)] = &[("Dropped or not used", "A"), ("Dropped or not used", "B")];
const FILLED_BY_LOSS: &[(&str, &str)] = &[("Changes of server, and other events", "A")];
/// What fires when a client's servers are gone for long: both do not answer.
const OF_LOSS: &[(&str, f64)] =
    &[("PtpDown", 2.0), ("PtpHoldover", 1.0), ("PtpNoSecondServer", 1.0), ("PtpNotLocked", 1.0)];

#[test]
fn panels_show_what_there_is_and_alerts_fire() -> Result<()> {
    if !have("panels_show_what_there_is_and_alerts_fire", NEEDS) {
        return Ok(());
    }
    let world = World::new(&["east", "west", "client", "watcher"])?;
    let [east_host, west_host, client_host, watcher] = world.hosts() else {
        unreachable!("four names were given")
    };
    let _polling = world.router().poll_towards(east_host, Plane::Ours)?;
    let programs = PtpCtl::new(&PtpCtl::find()?)?;
    let hosts = [east_host, west_host, client_host];
    let targets = hosts.map(|host| SocketAddr::new(address(host), PORT));
    let [at_east, at_west, at_client] = targets.map(|target| target.to_string());
    let serve = ["--clock-class", "6", "--metrics"];
    let massive = ["--sync-plane", "massive"];
    let mut east = programs.server(east_host, "east", &[&serve[..], &[&at_east], &massive[..]].concat())?;
    let mut west = programs.server(west_host, "west", &[&serve[..], &[&at_west]].concat())?;
    let client =
        programs.client(client_host, Family::V4, &[east_host, west_host], &["--metrics", &at_client])?;
    let prometheus = Prometheus::start(watcher, &targets, &docs("ptp-ctl.rules.yml"))?;
    client.wait_for("the lock", PATIENCE, |line| {
        (line.is("sample") && line.text_of("state") == Some("locked")).then_some(())
    })?;

    eventually("every target was asked and answered", PATIENCE, || Ok(unwell(&prometheus)?.is_none()))
        .with_context(|| format!("{:?}", unwell(&prometheus)))?;
    let metadata = prometheus.get("metadata", &[])?;
    for (name, kind) in [
        ("ptp_xdp_frames", "counter"),
        ("ptp_offset_seconds", "gauge"),
        ("ptp_measured_offset_seconds", "histogram"),
    ] {
        ensure!(metadata[name][0]["type"] == kind, "{name}: {}", metadata[name]);
    }

    let dashboard = Dashboard::load(&prometheus)?;
    let instances: BTreeSet<String> = [&at_east, &at_west, &at_client].into_iter().cloned().collect();
    ensure!(dashboard.instances == instances, "$instance has {:?}", dashboard.instances);
    for (panel, target, _) in EMPTY_WHILE_WELL {
        ensure!(dashboard.targets.iter().any(|known| known.is((panel, target))), "no {target} in {panel:?}");
    }
    for target in &dashboard.targets {
        // A mistake in the query is an error at once.
        target.ask(&prometheus)?;
    }
    all_filled(&prometheus, &dashboard.filled_while_well())?;
    eventually("no alert is pending or fires", PATIENCE, || Ok(active(&prometheus)?.is_empty()))
        .with_context(|| format!("{:?}", active(&prometheus)))?;
    let rules = rules(&prometheus)?;
    ensure!(rules.len() == count_of_rules()?, "loaded are only {rules:?}");
    for rule in &rules {
        ensure!(rule["health"] == "ok" && rule["lastError"].is_null(), "{rule:#}");
    }
    // If it went on like that for longer than any alert waits.
    let well = Snapshot::take(&prometheus)?;
    after_twenty_minutes(&well.for_twenty_minutes(&well), &[])?;

    let stranger = watcher.socket(Plane::Ours, Family::V4)?;
    eventually("nonsense is seen to be dropped", PATIENCE, || {
        for port in [319, 320] {
            stranger.send_to(b"nonsense", (address(west_host), port))?;
        }
        Ok(empty(&prometheus, &dashboard.named(FILLED_BY_NONSENSE))?.is_empty())
    })?;

    east.kill()?;
    all_filled(&prometheus, &dashboard.named(FILLED_BY_LOSS))?;
    west.kill()?;
    eventually("holdover is an alert at once", PATIENCE, || {
        Ok(active(&prometheus)?.contains(&("PtpHoldover".to_owned(), "firing".to_owned())))
    })?;
    eventually("the others wait for their time", PATIENCE, || {
        let active = active(&prometheus)?;
        Ok(OF_LOSS.iter().all(|(name, _)| active.iter().any(|(active, _)| active == name)))
    })?;
    for alert in prometheus.get("alerts", &[])?["alerts"].as_array().context("no alerts")? {
        let summary = alert["annotations"]["summary"].as_str().context("no summary")?;
        ensure!(instances.iter().any(|instance| summary.contains(instance)), "{alert:#}");
    }
    let lost = Snapshot::take(&prometheus)?;
    after_twenty_minutes(&well.for_twenty_minutes(&lost), OF_LOSS)
}

#[test]
fn alerts_fire_when_they_should() -> Result<()> {
    if !have("alerts_fire_when_they_should", &[Need::Program(PROMTOOL)]) {
        return Ok(());
    }
    promtool_test(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/alerts.yml"))
}

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana").join(file)
}

fn address(host: &Host) -> IpAddr {
    host.address(Plane::Ours, Family::V4)
}

/// The dashboard's queries, as Grafana would send them with "All" for every variable.
struct Dashboard {
    instances: BTreeSet<String>,
    targets: Vec<Target>,
}

/// One query of a panel.
#[derive(Debug)]
struct Target {
    panel: String,
    reference: String,
    query: String,
    /// For a moment, not for a range.
    instant: bool,
    /// The labels that the legend names.
    legend: Vec<String>,
}

impl Dashboard {
    fn load(prometheus: &Prometheus<'_>) -> Result<Self> {
        let document: Value = serde_json::from_str(&std::fs::read_to_string(docs("ptp-ctl.json"))?)?;
        let mut instances = BTreeSet::new();
        for variable in list(&document["templating"]["list"]) {
            match (text(&variable["type"])?, text(&variable["name"])?) {
                ("datasource", "datasource") => ensure!(variable["query"] == "prometheus"),
                ("query", "instance") => instances = label_values(prometheus, variable)?,
                other => anyhow::bail!("the test knows no variable {other:?}"),
            }
        }
        let escaped = instances.iter().map(|instance| instance.replace('.', "\\\\."));
        let all = format!("({})", escaped.collect::<Vec<_>>().join("|"));
        let mut targets = Vec::new();
        for panel in list(&document["panels"]).iter().filter(|panel| panel["type"] != "row") {
            let title = text(&panel["title"])?;
            ensure!(!list(&panel["targets"]).is_empty(), "{title} asks for nothing");
            for target in list(&panel["targets"]) {
                let data_source = &target["datasource"];
                ensure!(data_source["uid"] == "${datasource}", "{title}: {data_source}");
                let query = text(&target["expr"])?;
                let query = query.replace("$__rate_interval", RATE_INTERVAL).replace("$instance", &all);
                ensure!(!query.contains('$'), "{title}: an unknown variable in {query}");
                let parts = text(&target["legendFormat"])?.split("{{").skip(1);
                let legend = parts.filter_map(|part| part.split("}}").next().map(str::to_owned));
                targets.push(Target {
                    panel: title.to_owned(),
                    reference: text(&target["refId"])?.to_owned(),
                    query,
                    instant: target["instant"] == true,
                    legend: legend.collect(),
                });
            }
        }
        Ok(Self { instances, targets })
    }

    fn named(&self, names: &[(&str, &str)]) -> Vec<&Target> {
        self.targets.iter().filter(|target| names.iter().any(|name| target.is(*name))).collect()
    }

    fn filled_while_well(&self) -> Vec<&Target> {
        let may_be_empty = EMPTY_WHILE_WELL.iter().map(|(panel, reference, _)| (*panel, *reference));
        let may_be_empty = self.named(&may_be_empty.collect::<Vec<_>>());
        let is_one = |target: &Target| may_be_empty.iter().any(|other| std::ptr::eq(*other, target));
        self.targets.iter().filter(|target| !is_one(target)).collect()
    }
}

impl Target {
    fn is(&self, (panel, reference): (&str, &str)) -> bool {
        self.panel == panel && self.reference == reference
    }

    fn ask(&self, prometheus: &Prometheus<'_>) -> Result<Vec<Value>> {
        let series =
            if self.instant { prometheus.query(&self.query) } else { prometheus.query_range(&self.query) };
        series.with_context(|| format!("{} {}", self.panel, self.reference))
    }
}

/// What `label_values(METRIC, LABEL)` stands for.
fn label_values(prometheus: &Prometheus<'_>, variable: &Value) -> Result<BTreeSet<String>> {
    let query = text(&variable["query"]["query"])?;
    let parts = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')?.split_once(", "));
    let (metric, label) = parts.with_context(|| format!("the test knows no {query}"))?;
    let values = prometheus.get(&format!("label/{label}/values"), &[("match[]", metric)])?;
    list(&values).iter().map(|value| Ok(text(value)?.to_owned())).collect()
}

/// Waits until each of them gives series, with every label that its legend names.
fn all_filled(prometheus: &Prometheus<'_>, targets: &[&Target]) -> Result<()> {
    ensure!(!targets.is_empty());
    eventually("every panel has data", PATIENCE, || Ok(empty(prometheus, targets)?.is_empty()))
        .with_context(|| format!("{:#?}", empty(prometheus, targets)))
}

/// Those that give nothing, or lack what their legends name.
fn empty<'a>(prometheus: &Prometheus<'_>, targets: &[&'a Target]) -> Result<Vec<&'a Target>> {
    let mut empty = Vec::new();
    for target in targets {
        let series = target.ask(prometheus)?;
        let has = |label: &String| series.iter().any(|series| series["metric"][label].is_string());
        if series.is_empty() || !target.legend.iter().all(has) {
            empty.push(*target);
        }
    }
    Ok(empty)
}

/// A target that does not answer as it should, or has not been asked yet.
fn unwell(prometheus: &Prometheus<'_>) -> Result<Option<Value>> {
    let targets = prometheus.get("targets", &[("state", "active")])?;
    let is_unwell = |target: &&Value| target["health"] != "up" || target["lastError"] != "";
    Ok(list(&targets["activeTargets"]).iter().find(is_unwell).cloned())
}

/// The alert rules as Prometheus has them.
fn rules(prometheus: &Prometheus<'_>) -> Result<Vec<Value>> {
    let groups = prometheus.get("rules", &[("type", "alert")])?;
    Ok(list(&groups["groups"]).iter().flat_map(|group| list(&group["rules"]).to_vec()).collect())
}

fn count_of_rules() -> Result<usize> {
    Ok(std::fs::read_to_string(docs("ptp-ctl.rules.yml"))?.matches("- alert:").count())
}

/// Alerts that are pending or fire: their names and states.
fn active(prometheus: &Prometheus<'_>) -> Result<BTreeSet<(String, String)>> {
    let alerts = prometheus.get("alerts", &[])?;
    let name = |alert: &Value| {
        Ok((text(&alert["labels"]["alertname"])?.to_owned(), text(&alert["state"])?.to_owned()))
    };
    list(&alerts["alerts"]).iter().map(name).collect()
}

/// All series at one moment, with their values.
struct Snapshot(BTreeMap<String, String>);

impl Snapshot {
    fn take(prometheus: &Prometheus<'_>) -> Result<Self> {
        let one = |series: &Value| {
            let labels = series["metric"].as_object().context("no labels")?;
            let labels = labels.iter().filter(|(name, _)| *name != "__name__");
            let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value}")).collect();
            let name = text(&series["metric"]["__name__"])?;
            Ok((format!("{name}{{{}}}", labels.join(",")), text(&series["value"][1])?.to_owned()))
        };
        let series = prometheus.query("{__name__=~\"ptp_.+|up\"}")?;
        ensure!(series.len() > 50, "only {} series", series.len());
        Ok(Self(series.iter().map(one).collect::<Result<_>>()?))
    }

    /// Twenty minutes of that, as `promtool test rules` reads them; what is not there any more `later`, ends after two.
    fn for_twenty_minutes(&self, later: &Self) -> Vec<Value> {
        let lasting = later.0.iter().map(|(series, value)| (series, format!("{value}x20")));
        let ended = self.0.iter().filter(|(series, _)| !later.0.contains_key(*series));
        let ended = ended.map(|(series, value)| (series, format!("{value}x1")));
        let series = lasting.chain(ended);
        series.map(|(series, values)| json!({ "series": series, "values": values })).collect()
    }
}

/// The alerts that fire then, and how many, are these and no others.
fn after_twenty_minutes(series: &[Value], alerts: &[(&str, f64)]) -> Result<()> {
    let expected: Vec<_> = alerts
        .iter()
        .map(|(name, count)| json!({ "labels": format!("{{alertname=\"{name}\"}}"), "value": count }))
        .collect();
    let test = json!({
        "rule_files": [docs("ptp-ctl.rules.yml").canonicalize()?],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [{
                "expr": "count by (alertname) (ALERTS{alertstate=\"firing\"})",
                "eval_time": "20m",
                "exp_samples": expected,
            }],
        }],
    });
    let mut file = tempfile::Builder::new().suffix(".yml").tempfile()?;
    file.write_all(test.to_string().as_bytes())?;
    promtool_test(file.path())
}

fn promtool_test(file: &Path) -> Result<()> {
    let output = Command::new(PROMTOOL).args(["test", "rules"]).arg(file).output()?;
    ensure!(
        output.status.success(),
        "{PROMTOOL}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("no string: {value}"))
}
