//! A run as a picture: the time error with what the client makes of it, and MTIE against a mask.

use crate::cli::drawing::{
    Area, BOUND, Drawn, ESTIMATE, FONT, MARK, Ns, Output, Picture, TRUTH, legend, mtie,
};
use crate::engine::event::Kind;
use crate::report::EventText;
use crate::sim::scenario::{Document, Happening, Run, Scenario};
use crate::sim::statistics::{Sample, Statistics};
use anyhow::{Result, anyhow};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const SIZE: (u32, u32) = (1100, 820);
/// What concerns the time; negotiation does not.
const SHOWN_EVENTS: [Kind; 5] =
    [Kind::Selected, Kind::State, Kind::Step, Kind::RouteChanged, Kind::TimeJumped];
/// The upper panel shows this share of the samples; what sticks out is the start.
const SHOWN: f64 = 0.98;
/// A mask in the manner of ITU-T G.8271.1's and G.8271.2's for the dynamic time error at a client, s and ns. What binds a
/// network is its own edition and class: a scenario can have a mask of its own.
const MASK: [(f64, f64); 4] = [(1.3, 197.5), (2.4, 280.0), (275.0, 580.0), (10_000.0, 580.0)];

type Chart<'a, 'b> = ChartContext<'a, Picture<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws a run into a file.
pub(super) fn draw(output: &Output, scenario: &Scenario, run: &Run, statistics: &Statistics) -> Result<()> {
    panels(&output.area(SIZE), scenario, run, statistics).map_err(|error| anyhow!("{error}"))
}

fn panels(area: &Area<'_>, scenario: &Scenario, run: &Run, statistics: &Statistics) -> Drawn {
    area.fill(&WHITE)?;
    let (upper, lower) = area.split_vertically(SIZE.1 * 6 / 10);
    error(&upper, scenario, run)?;
    let (mask, name) = match &scenario.document().mask {
        Some(mask) => (&mask[..], "the scenario's mask"),
        None => (&MASK[..], "mask in the manner of G.8271"),
    };
    mtie(&lower, "", statistics, mask, name)?;
    area.present()
}

fn error(area: &Area<'_>, scenario: &Scenario, run: &Run) -> Drawn {
    let document = scenario.document();
    let reach = reach(&run.samples);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(24)
        .caption(format!("{} (seed {})", document.title, run.seed), (FONT, 17))
        .x_label_area_size(36)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..document.duration, -reach..reach)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .axis_style(BLACK.mix(0.5))
        .label_style((FONT, 13))
        .x_desc("seconds since the start")
        .x_labels(16)
        .y_desc("time error")
        .y_label_formatter(&|ns| Ns(*ns).to_string())
        .draw()?;
    let told =
        run.samples.iter().filter_map(|sample| Some((sample.at_s, sample.estimate_ns?, sample.bound_ns?)));
    let inside = |ns: f64| ns.clamp(-reach, reach);
    chart.draw_series(told.clone().map(|(at, estimate, bound)| {
        PathElement::new(
            [(at, inside(estimate - bound)), (at, inside(estimate + bound))],
            BOUND.stroke_width(1),
        )
    }))?;
    marks(&mut chart, document, run, reach)?;
    let estimates = told.map(|(at, estimate, _)| (at, estimate));
    let errors = run.samples.iter().map(|sample| (sample.at_s, sample.error_ns));
    for (line, colour, label) in [
        (runs_inside(estimates, reach), ESTIMATE, "what the client takes it for, with its 99 % bound"),
        (runs_inside(errors, reach), TRUTH, "true error of the client's clock"),
    ] {
        for run in line {
            chart.draw_series(LineSeries::new(run, colour.stroke_width(1)))?;
        }
        // An empty series of its own: the line has as many parts as it leaves the panel.
        chart
            .draw_series(LineSeries::new([], colour))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperRight)
}

fn marks(chart: &mut Chart<'_, '_>, document: &Document, run: &Run, reach: f64) -> Drawn {
    let mut before = f64::NEG_INFINITY;
    for Happening { at_s, event } in &run.events {
        if !SHOWN_EVENTS.contains(&event.kind) {
            continue;
        }
        chart.draw_series(LineSeries::new([(*at_s, -reach), (*at_s, reach)], MARK.mix(0.3)))?;
        // Of those that are close together only the first is named.
        if at_s - before < document.duration / 60.0 {
            continue;
        }
        before = *at_s;
        let style = (FONT, 11)
            .into_font()
            .transform(FontTransform::Rotate270)
            .color(&MARK.mix(0.8))
            .pos(Pos::new(HPos::Left, VPos::Top));
        let label = Text::new(EventText(event).to_string(), (1, -4), style);
        chart.draw_series([EmptyElement::at((*at_s, -reach)) + label])?;
    }
    Ok(())
}

/// The parts of a line that are within `reach` of zero.
fn runs_inside(points: impl Iterator<Item = (f64, f64)>, reach: f64) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for point in points {
        match runs.last_mut() {
            Some(run) if point.1.abs() <= reach => run.push(point),
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// How far the upper panel reaches to either side, ns.
fn reach(samples: &[Sample]) -> f64 {
    let mut errors: Vec<f64> = samples.iter().map(|sample| sample.error_ns.abs()).collect();
    errors.sort_unstable_by(f64::total_cmp);
    let shown = (SHOWN * errors.len() as f64) as usize;
    errors.get(shown.min(errors.len().saturating_sub(1))).map_or(1.0, |error| 1.5 * error.max(1.0))
}
