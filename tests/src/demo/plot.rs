//! The offset over time as an SVG picture: above everything on a logarithmic scale, below the steady state.

use super::PEER;
use super::measure::{ClientLog, PeerLog};
use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::Path;

const SIZE: (u32, u32) = (1100, 760);
const FONT: &str = "sans-serif";
const TRUTH: RGBColor = RGBColor(0x1f, 0x5f, 0xa8);
const MEASURED: RGBColor = RGBColor(0xe0, 0x8a, 0x1e);
const PEER_COLOUR: RGBColor = RGBColor(0x9a, 0x9a, 0x9a);
const MARK: RGBColor = RGBColor(0xb0, 0x30, 0x30);
/// Below this the logarithmic scale is linear, ns.
const LINEAR_NS: f64 = 100.0;
/// Upper panel: ± this many decades above the linear part, i.e. 10 ms.
const DECADES: f64 = 5.0;
/// Lower panel: ± the first of these that holds nearly all of the truth after the start, ns.
const ZOOMS_NS: [f64; 5] = [1e3, 3e3, 1e4, 3e4, 1e5];
/// This long after the client's start the lower panel shall fit, s.
const START_S: f64 = 3.0;
/// Room for a mark's label, pixels.
const LABEL_LENGTH: i32 = 110;

type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Time since the client's start in s, and a value in ns.
type Point = (f64, f64);

/// What is drawn in both panels.
struct Series {
    truth: Vec<Point>,
    measured: Vec<Point>,
    peer: Vec<Point>,
    marks: Vec<(f64, String)>,
    end_s: f64,
}

/// Draws the run into an SVG file.
pub(super) fn draw(path: &Path, ours: &ClientLog, peer: Option<&PeerLog>) -> Result<()> {
    let series = Series::of(ours, peer);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    panels(&area, &series).map_err(|error| anyhow!("{error}"))
}

fn panels(area: &Area<'_>, series: &Series) -> Drawn {
    area.fill(&WHITE)?;
    let (upper, lower) = area.split_vertically(SIZE.1 * 11 / 20);
    panel(&upper, series, &Scale::Logarithmic)?;
    panel(&lower, series, &Scale::Linear(series.zoom_ns()))?;
    area.present()
}

impl Series {
    fn of(ours: &ClientLog, peer: Option<&PeerLog>) -> Self {
        let seconds = |time_ns: i64| (time_ns - ours.started_ns) as f64 / 1e9;
        let truth: Vec<Point> =
            ours.truth.iter().map(|truth| (seconds(truth.time_ns), truth.error_ns)).collect();
        let used = ours.samples.iter().filter(|sample| sample.used);
        Self {
            measured: used.map(|sample| (seconds(sample.time_ns), sample.offset_ns)).collect(),
            peer: peer.into_iter().flat_map(PeerLog::offsets).map(|(time, ns)| (seconds(time), ns)).collect(),
            marks: ours.events.iter().map(|event| (seconds(event.time_ns), event.label.clone())).collect(),
            end_s: truth.last().map_or(1.0, |point| point.0),
            truth,
        }
    }

    fn zoom_ns(&self) -> f64 {
        let mut errors: Vec<f64> =
            self.truth.iter().filter(|point| point.0 > START_S).map(|point| point.1.abs()).collect();
        errors.sort_by(f64::total_cmp);
        let nearly_all = errors.get(errors.len() * 98 / 100).copied().unwrap_or(0.0);
        ZOOMS_NS.into_iter().find(|zoom| *zoom > nearly_all).unwrap_or(ZOOMS_NS[ZOOMS_NS.len() - 1])
    }
}

/// How a panel shows nanoseconds.
enum Scale {
    /// Sign and decades above [`LINEAR_NS`].
    Logarithmic,
    /// As they are, up to this.
    Linear(f64),
}

impl Scale {
    fn bound(&self) -> f64 {
        match self {
            Self::Logarithmic => DECADES + 0.4,
            Self::Linear(bound) => *bound,
        }
    }

    /// Where on the axis; `None` outside the panel.
    fn place(&self, ns: f64) -> Option<f64> {
        let place = match self {
            Self::Logarithmic => ns.signum() * (1.0 + ns.abs() / LINEAR_NS).log10(),
            Self::Linear(_) => ns,
        };
        (place.abs() <= self.bound()).then_some(place)
    }

    fn label(&self, place: f64) -> String {
        let size = match self {
            Self::Linear(_) if place == 0.0 => return "0".to_owned(),
            Self::Linear(_) => return format!("{:+} µs", place / 1000.0),
            Self::Logarithmic => match place.abs() {
                decade if decade < 0.5 => return "0".to_owned(),
                decade if decade < 1.5 => "1 µs",
                decade if decade < 2.5 => "10 µs",
                decade if decade < 3.5 => "100 µs",
                decade if decade < 4.5 => "1 ms",
                _ => "10 ms",
            },
        };
        format!("{}{size}", if place < 0.0 { '-' } else { '+' })
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Logarithmic => "Offset of the client's clock, positive = ahead (logarithmic above 100 ns)",
            Self::Linear(_) => "The same, closer",
        }
    }
}

fn panel(area: &Area<'_>, series: &Series, scale: &Scale) -> Drawn {
    let bound = scale.bound();
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(scale.title(), (FONT, 17))
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..series.end_s, -bound..bound)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .axis_style(BLACK.mix(0.5))
        .label_style((FONT, 13))
        .x_desc("seconds since the client's start")
        .x_labels(16)
        .x_label_formatter(&|seconds| format!("{seconds:.0}"))
        .y_labels(11)
        .y_label_formatter(&|place| scale.label(*place))
        .draw()?;

    let mut raised = 0;
    let mut before = f64::NEG_INFINITY;
    for (seconds, label) in &series.marks {
        let line = [(*seconds, -bound), (*seconds, bound)];
        chart.draw_series(LineSeries::new(line, MARK.mix(0.45)))?;
        if matches!(scale, Scale::Logarithmic) {
            // To the right of its line; above the label before it if that is close.
            raised = if seconds - before < series.end_s / 60.0 { raised + LABEL_LENGTH } else { 0 };
            before = *seconds;
            let style = (FONT, 12)
                .into_font()
                .transform(FontTransform::Rotate270)
                .color(&MARK)
                .pos(Pos::new(HPos::Left, VPos::Top));
            let at = EmptyElement::at((*seconds, -bound));
            chart.draw_series([at + Text::new(label.clone(), (2, -4 - raised), style)])?;
        }
    }

    let points = |points: &[Point]| -> Vec<Point> {
        points.iter().filter_map(|&(seconds, ns)| Some((seconds, scale.place(ns)?))).collect()
    };
    chart
        .draw_series(points(&series.peer).into_iter().map(|at| Circle::new(at, 3, PEER_COLOUR.filled())))?
        .label(format!("{PEER}, measured (truth: 0)"))
        .legend(|(x, y)| Circle::new((x + 9, y), 3, PEER_COLOUR.filled()));
    chart
        .draw_series(points(&series.measured).into_iter().map(|at| Circle::new(at, 2, MEASURED.filled())))?
        .label("ours, measured")
        .legend(|(x, y)| Circle::new((x + 9, y), 2, MEASURED.filled()));
    for run in runs_inside(&series.truth, scale) {
        chart.draw_series(LineSeries::new(run, TRUTH.stroke_width(2)))?;
    }
    // An empty series of its own: the line above has as many parts as it leaves the panel.
    chart
        .draw_series(LineSeries::new([], TRUTH))?
        .label("ours, in truth")
        .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], TRUTH.stroke_width(2)));
    if matches!(scale, Scale::Linear(_)) {
        return Ok(());
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font((FONT, 13))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .draw()
}

/// The parts of a curve that are inside the panel.
fn runs_inside(points: &[Point], scale: &Scale) -> Vec<Vec<Point>> {
    let mut runs = vec![Vec::new()];
    for &(seconds, ns) in points {
        match scale.place(ns) {
            Some(place) => runs.last_mut().expect("there is always a run").push((seconds, place)),
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_are_where_their_labels_say() {
        for (ns, label) in [(0.0, "0"), (1e3, "+1 µs"), (-1e4, "-10 µs"), (5e6, "+10 ms"), (1e6, "+1 ms")] {
            let place = Scale::Logarithmic.place(ns).unwrap();
            assert_eq!(Scale::Logarithmic.label(place), label);
        }
        assert_eq!(Scale::Linear(3000.0).place(3001.0), None);
    }

    #[test]
    fn a_curve_is_cut_where_it_leaves_the_panel() {
        let points = [(0.0, 5e6), (1.0, 10.0), (2.0, 20.0), (3.0, -9e6), (4.0, 5.0)];
        assert_eq!(
            runs_inside(&points, &Scale::Linear(3000.0)),
            [vec![(1.0, 10.0), (2.0, 20.0)], vec![(4.0, 5.0)]]
        );
    }
}
