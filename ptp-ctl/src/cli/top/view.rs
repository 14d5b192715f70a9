//! The screen, as a function of what was heard.

use super::history::{History, Point};
use crate::report::words::{age, list, rate, text, time, words};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Cell, Chart, Dataset, GraphType, Paragraph, Row, Table, Wrap};
use serde_json::Value;

/// What is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    #[default]
    Overview,
    Peers,
    Counters,
    Events,
}

impl View {
    pub(super) const ALL: [Self; 4] = [Self::Overview, Self::Peers, Self::Counters, Self::Events];

    /// So many places further, round and round.
    pub(super) fn after(self, places: usize) -> Self {
        Self::ALL[(self as usize + places) % Self::ALL.len()]
    }

    fn name(self, is_server: bool) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Peers if is_server => "clients",
            Self::Peers => "servers",
            Self::Counters => "counters",
            Self::Events => "events",
        }
    }
}

/// What is shown beside the history.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen {
    pub(super) interface: String,
    pub(super) view: View,
    pub(super) help: bool,
    /// Why what is shown is not of now.
    pub(super) trouble: Option<String>,
    /// CLOCK_REALTIME, which events are dated by.
    pub(super) now_ns: u64,
}

impl Screen {
    pub(super) fn new(interface: &str) -> Self {
        Self { interface: interface.to_owned(), ..Self::default() }
    }
}

const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
const BUSY: Style = Style::new().fg(Color::Yellow);

const HELP: &str = "\
q, Esc, Ctrl-C   end
1 2 3 4          overview; servers or clients; counters; events
Tab, arrows      the next one, the one before
?                this, and away again

Offset is local clock minus server's: positive is ahead. ± is its 99 % bound;
what unequal ways can add is not in it. `ptp-ctl status` tells the same in
sentences, `ptp-ctl stats --watch` as JSON.";

pub(super) fn draw(frame: &mut Frame<'_>, screen: &Screen, history: &History) {
    let [title, body, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(header(screen, history)), title);
    frame.render_widget(Paragraph::new(footer(screen, history)), foot);
    if screen.help {
        frame.render_widget(Paragraph::new(HELP).block(titled("help")).wrap(Wrap { trim: false }), body);
        return;
    }
    let Some(document) = history.document() else { return };
    match screen.view {
        View::Overview => overview(frame, body, document, history, screen.now_ns),
        View::Peers => match history.client() {
            Some(client) => {
                let [above, below] = Layout::vertical([Constraint::Fill(1); 2]).areas(body);
                servers(frame, above, client);
                grants(frame, below, client);
            }
            None => clients(frame, body, document),
        },
        View::Counters => counters(frame, body, document, history),
        View::Events => events(frame, body, document, screen.now_ns),
    }
}

fn titled(title: &str) -> Block<'_> {
    Block::new().borders(Borders::TOP).border_style(DIM).title(Span::styled(format!(" {title} "), BOLD))
}

fn header<'a>(screen: &'a Screen, history: &'a History) -> Vec<Line<'a>> {
    let mut first = vec![Span::styled(screen.interface.as_str(), BOLD)];
    let mut second = Vec::new();
    if let Some(document) = history.document() {
        first.push(Span::raw(format!("  {}  ", text(&document["role"]))));
        if let Some(client) = history.client() {
            let state = text(&client["state"]);
            let style = if state == "locked" { GOOD } else { BUSY };
            first.push(Span::styled(state.to_owned(), style.add_modifier(Modifier::BOLD)));
            match client["selected_server"].as_str() {
                Some(server) => first.push(Span::raw(format!("  to {server}"))),
                None => first.push(Span::styled("  without a server", BAD)),
            }
            let point = history.points.back().copied().unwrap_or_default();
            if let Some(offset) = point.offset {
                first.push(Span::styled(format!("  offset {}", signed(offset)), BOLD));
            }
            if let Some(bound) = point.bound {
                first.push(Span::raw(format!(" ± {}", time(bound))));
            }
            if let Some(delay) = point.delay {
                first.push(Span::raw(format!("  path {}", time(delay))));
            }
        }
        if document["totals"].is_object() {
            let class = format!("  clockClass {}", document["clock_class"]);
            first.push(Span::raw(format!("{class}  {} clients", document["totals"]["clients"])));
        }
        let clock = &document["clock"];
        let frequency = clock["frequency_ppb"].as_f64().unwrap_or_default();
        second.push(Span::styled(
            format!(
                "clock {} {frequency:+.1} ppb  plane {}  RX {}  TX {}",
                text(&clock["kind"]),
                [document["data_plane"].as_str(), document["xdp_mode"].as_str()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" "),
                text(&document["rx_timestamp_source"]),
                text(&document["tx_timestamp_source"])
            ),
            DIM,
        ));
    }
    vec![Line::from(first), Line::from(second)]
}

fn footer<'a>(screen: &'a Screen, history: &History) -> Line<'a> {
    if let Some(trouble) = &screen.trouble {
        return Line::styled(trouble.as_str(), BAD);
    }
    let is_server = history.client().is_none();
    let mut spans = Vec::new();
    for (key, view) in (1..).zip(View::ALL) {
        let style = if view == screen.view { BOLD } else { DIM };
        spans.push(Span::styled(format!("{key} {}  ", view.name(is_server)), style));
    }
    spans.push(Span::styled("? help  q end", DIM));
    Line::from(spans)
}

fn overview(frame: &mut Frame<'_>, area: Rect, document: &Value, history: &History, now_ns: u64) {
    let Some(client) = history.client() else {
        let [rates, table, log] = parts(area, list(&document["clients"]).len());
        let series: [Curve<'_>; 2] = [
            ("Delay_Resp/s", Color::Cyan, |point| point.answers),
            ("Sync/s", Color::Green, |point| point.syncs),
        ];
        chart(frame, rates, history, "messages a second", &series, whole, false);
        clients(frame, table, document);
        return events(frame, log, document, now_ns);
    };
    let [graphs, table, log] = parts(area, list(&client["servers"]).len());
    let [left, right] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(graphs);
    let series: [Curve<'_>; 3] = [
        ("+bound", Color::DarkGray, |point| Some(point.offset? + point.bound?)),
        ("-bound", Color::DarkGray, |point| Some(point.offset? - point.bound?)),
        ("offset", Color::Cyan, |point| point.offset),
    ];
    chart(frame, left, history, "offset and its 99 % bound", &series, signed, true);
    let delay: [Curve<'_>; 1] = [("delay", Color::Green, |point| point.delay)];
    chart(frame, right, history, "path delay", &delay, time, false);
    servers(frame, table, client);
    events(frame, log, document, now_ns);
}

/// Name, colour, and what of a point it shows.
type Curve<'a> = (&'a str, Color, fn(&Point) -> Option<f64>);

/// Graphs, a table of so many rows, and what is left for the events.
fn parts(area: Rect, rows: usize) -> [Rect; 3] {
    let table = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(2).min((area.height / 3).max(3));
    Layout::vertical([Constraint::Fill(2), Constraint::Length(table), Constraint::Fill(1)]).areas(area)
}

fn chart(
    frame: &mut Frame<'_>,
    area: Rect,
    history: &History,
    title: &str,
    series: &[Curve<'_>],
    label: fn(f64) -> String,
    around_zero: bool,
) {
    // As many as fit, two to a column.
    let shown = usize::from(area.width).saturating_mul(2).min(history.points.len());
    let skipped = history.points.len() - shown;
    let data: Vec<Vec<(f64, f64)>> = series
        .iter()
        .map(|(_, _, of)| {
            let points = history.points.iter().skip(skipped).enumerate();
            points.filter_map(|(at, point)| Some((at as f64, of(point)?))).collect()
        })
        .collect();
    let values = || data.iter().flatten().map(|(_, value)| *value);
    let (mut low, mut high) = values()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        (low, high) = (0.0, 1.0);
    }
    if around_zero {
        high = high.abs().max(low.abs());
        low = -high;
    }
    // So that the labels differ.
    let least = (0.02 * high.abs()).max(1.0);
    if high - low < least {
        (low, high) = (low - least / 2.0, high + least / 2.0);
    }
    let sets = data.iter().zip(series).map(|(data, (name, color, _))| {
        Dataset::default()
            .name(*name)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(Style::new().fg(*color))
            .data(data)
    });
    let labels = [low, f64::midpoint(low, high), high].map(|value| Span::styled(label(value), DIM));
    let chart = Chart::new(sets.collect())
        .block(titled(title))
        .legend_position(None)
        .x_axis(Axis::default().style(DIM).bounds([0.0, shown.saturating_sub(1).max(1) as f64]))
        .y_axis(Axis::default().style(DIM).bounds([low, high]).labels(labels));
    frame.render_widget(chart, area);
}

fn servers(frame: &mut Frame<'_>, area: Rect, client: &Value) {
    let servers = list(&client["servers"]);
    let rows = servers.iter().map(|server| {
        let state = text(&server["state"]);
        let style = match state {
            "selected" => GOOD,
            "standby" | "waiting" => Style::new(),
            "unusable" | "falseticker" => BAD,
            _ => BUSY,
        };
        let state = match server["reason"].as_str() {
            Some(reason) => format!("{state}: {}", words(reason)),
            None => state.to_owned(),
        };
        let left = SERVICES.map(|(service, _)| number(&server["grants"][service]["expires_in_s"], whole));
        Row::new([
            Cell::new(text(&server["address"]).to_owned()),
            Cell::new(state).style(style),
            Cell::new(number(&server["announce"]["clock_class"], whole)),
            Cell::new(number(&server["estimated_offset_ns"], signed)),
            Cell::new(number(&server["bound_ns"], time)),
            Cell::new(number(&server["path_delay_ns"], time)),
            Cell::new(left.join("/")),
        ])
    });
    let widths = [
        addresses(servers),
        Constraint::Fill(2),
        Constraint::Length(5),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(11),
    ];
    let header = Row::new(["server", "state", "class", "offset", "±", "path", "grants, s"]).style(DIM);
    frame.render_widget(Table::new(rows, widths).header(header).block(titled("servers")), area);
}

/// What there is to know of each server besides.
fn grants(frame: &mut Frame<'_>, area: Rect, client: &Value) {
    let servers = list(&client["servers"]);
    let rows = servers.iter().map(|server| {
        let grants = SERVICES.map(|(service, _)| {
            let grant = &server["grants"][service];
            grant["log_interval"].as_i64().map_or_else(|| text(&grant["state"]).to_owned(), rate)
        });
        let lost = |share: &Value| number(share, |share| format!("{:.1} %", 100.0 * share));
        let [announce, sync, delay_resp] = grants;
        Row::new([
            text(&server["address"]).to_owned(),
            announce,
            sync,
            delay_resp,
            lost(&server["loss_from_server"]),
            lost(&server["loss_round_trip"]),
            number(&server["variation_ns"], time),
            number(&server["difference_ns"], signed),
        ])
    });
    let [announce, sync, delay_resp] = SERVICES.map(|(_, name)| name);
    let header = ["server", announce, sync, delay_resp, "loss", "answers", "varies", "differs"];
    let widths = [
        addresses(servers),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(10),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(8),
        Constraint::Min(8),
    ];
    let table = Table::new(rows, widths).header(Row::new(header).style(DIM));
    frame
        .render_widget(table.block(titled("granted, lost, variation, difference from the one in use")), area);
}

const SERVICES: [(&str, &str); 3] =
    [("announce", "Announce"), ("sync", "Sync"), ("delay_resp", "Delay_Resp")];

/// As wide as the longest, within reason.
fn addresses(servers: &[Value]) -> Constraint {
    let longest = servers.iter().map(|server| text(&server["address"]).len()).max().unwrap_or_default();
    Constraint::Length(longest.clamp(8, 26) as u16)
}

fn number(value: &Value, form: fn(f64) -> String) -> String {
    value.as_f64().map_or("-".to_owned(), form)
}

fn whole(value: f64) -> String {
    format!("{value:.0}")
}

fn clients(frame: &mut Frame<'_>, area: Rect, document: &Value) {
    let totals = &document["totals"];
    let title = format!(
        "{} clients: {} Announce, {} Sync, {} Delay_Resp",
        totals["clients"], totals["announce"], totals["sync"], totals["delay_resp"]
    );
    let clients = list(&document["clients"]);
    if clients.is_empty() {
        let told = if totals["clients"] == 0 { "" } else { "too many to list: see `ptp-ctl clients`" };
        return frame.render_widget(Paragraph::new(told).block(titled(&title)), area);
    }
    let rows = clients.iter().map(|client| {
        let grant = |service: &str| {
            let grant = &client["grants"][service];
            match (grant["log_interval"].as_i64(), grant["expires_in_s"].as_f64()) {
                (Some(log), Some(left)) => format!("{}, {left:.0} s", rate(log)),
                _ => "-".to_owned(),
            }
        };
        Row::new([
            text(&client["address"]).to_owned(),
            text(&client["port_identity"]).to_owned(),
            grant("announce"),
            grant("sync"),
            grant("delay_resp"),
        ])
    });
    let widths = [
        Constraint::Min(12),
        Constraint::Fill(1),
        Constraint::Length(15),
        Constraint::Length(15),
        Constraint::Length(15),
    ];
    let header = Row::new(["client", "port identity", "Announce", "Sync", "Delay_Resp"]).style(DIM);
    frame.render_widget(Table::new(rows, widths).header(header).block(titled(&title)), area);
}

/// All that are not zero, in as many columns as fit.
fn counters(frame: &mut Frame<'_>, area: Rect, document: &Value, history: &History) {
    let mut found = Vec::new();
    gather(&document["counters"], &mut String::new(), &mut found);
    let lines: Vec<Line<'_>> = found
        .into_iter()
        .map(|(pointer, count)| {
            let rate = history.rate(&[&format!("/counters{pointer}")]).filter(|rate| *rate > 0.0);
            let rate = rate.map_or_else(String::new, |rate| format!("{rate:.0}/s"));
            let name = pointer.trim_start_matches('/').replace('/', " ");
            Line::from(vec![
                Span::raw(format!("{name:<26.26} {count:>10}")),
                Span::styled(format!(" {rate:<8}"), DIM),
            ])
        })
        .collect();
    let block = titled("counters that are not zero");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    for (place, column) in lines.chunks(usize::from(inner.height.max(1))).enumerate() {
        const WIDTH: u16 = 47;
        let x = inner.x + WIDTH * place as u16;
        if x + WIDTH / 2 < inner.right() {
            let area = Rect { x, width: WIDTH.min(inner.right() - x), ..inner };
            frame.render_widget(Paragraph::new(column.to_vec()), area);
        }
    }
}

fn gather(value: &Value, pointer: &mut String, found: &mut Vec<(String, u64)>) {
    if let Some(count) = value.as_u64().filter(|count| *count > 0) {
        found.push((pointer.clone(), count));
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(name);
        gather(value, pointer, found);
        pointer.truncate(length);
    }
}

/// The last ones that fit, oldest first.
fn events(frame: &mut Frame<'_>, area: Rect, document: &Value, now_ns: u64) {
    let history = list(&document["history"]);
    let room = usize::from(area.height.saturating_sub(1));
    let lines: Vec<Line<'_>> = history[history.len().saturating_sub(room)..]
        .iter()
        .map(|event| {
            let rest = ["server", "client", "reason", "detail"]
                .iter()
                .filter_map(|key| event[*key].as_str())
                .collect::<Vec<_>>()
                .join("  ");
            Line::from(vec![
                Span::styled(format!("{:>9} ago  ", age(event, now_ns)), DIM),
                Span::styled(words(text(&event["event"])), BOLD),
                Span::raw(format!("  {rest}")),
            ])
        })
        .collect();
    frame.render_widget(Paragraph::new(lines).block(titled("events")), area);
}

/// A time with its sign.
fn signed(ns: f64) -> String {
    let sign = match ns.round() {
        ..0.0 => "-",
        0.0 => "",
        _ => "+",
    };
    format!("{sign}{}", time(ns.abs()))
}
