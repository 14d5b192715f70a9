//! What pictures have in common: fonts, colours, how ns are written, and the panel of MTIE and TDEV.

mod canvas;
mod picture;

pub(super) use picture::{Output, Picture};

use crate::sim::statistics::Statistics;
use plotters::coord::Shift;
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use std::fmt::{self, Display, Formatter};

pub(super) const FONT: &str = "sans-serif";
pub(super) const TRUTH: RGBColor = RGBColor(0x1f, 0x5f, 0xa8);
pub(super) const ESTIMATE: RGBColor = RGBColor(0xe0, 0x8a, 0x1e);
pub(super) const BOUND: RGBColor = RGBColor(0xf9, 0xe7, 0xd0);
pub(super) const MARK: RGBColor = RGBColor(0xb0, 0x30, 0x30);

pub(super) type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;
pub(super) type Area<'a> = DrawingArea<Picture<'a>, Shift>;

/// Nanoseconds with three digits and a unit that fits.
#[derive(Clone, Copy)]
pub(super) struct Ns(pub(super) f64);

impl Display for Ns {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.abs();
        let (scale, unit) = match magnitude {
            m if m < 999.5 => (1.0, "ns"),
            m if m < 999.5e3 => (1e3, "us"),
            m if m < 999.5e6 => (1e6, "ms"),
            _ => (1e9, "s"),
        };
        let value = self.0 / scale;
        let digits = match value.abs() {
            v if v < 9.995 => 2,
            v if v < 99.95 => 1,
            _ => 0,
        };
        write!(f, "{value:.digits$} {unit}")
    }
}

/// MTIE and TDEV over the observation interval, with a title, and a mask by its name.
pub(super) fn mtie(
    area: &Area<'_>,
    title: &str,
    statistics: &Statistics,
    mask: &[(f64, f64)],
    name: &str,
) -> Drawn {
    let points: Vec<_> = statistics.mtie.iter().map(|point| (point.tau_s, point.ns)).collect();
    let tdev: Vec<_> = statistics.tdev.iter().map(|point| (point.tau_s, point.ns)).collect();
    let longest = points.last().map_or(1.0, |point| point.0).max(10.0);
    let all = || points.iter().chain(&tdev).chain(mask).map(|point| point.1).filter(|ns| *ns > 0.0);
    if all().next().is_none() {
        return area.titled("no time interval error at all", (FONT, 15)).map(drop);
    }
    let bottom = all().fold(f64::MAX, f64::min) / 2.0;
    let top = all().fold(f64::MIN_POSITIVE, f64::max) * 2.0;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(24)
        .caption(title, (FONT, 17))
        .x_label_area_size(36)
        .y_label_area_size(84)
        .build_cartesian_2d((1.0..longest).log_scale(), (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(BLACK.mix(0.04))
        .bold_line_style(BLACK.mix(0.1))
        .axis_style(BLACK.mix(0.5))
        .label_style((FONT, 13))
        .x_desc("observation interval, s")
        .y_label_formatter(&|ns| Ns(*ns).to_string())
        .draw()?;
    let lines = [(&points[..], TRUTH, "MTIE"), (&tdev[..], ESTIMATE, "TDEV"), (mask, MARK, name)];
    for (line, colour, label) in lines.into_iter().filter(|(line, ..)| !line.is_empty()) {
        let line = cut(line, longest).into_iter().filter(|&(tau, ns)| ns > 0.0 && tau >= 1.0);
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperLeft)
}

/// What the lines are.
pub(super) fn legend<'a, 'b: 'a, X: Ranged + 'a, Y: Ranged + 'a>(
    chart: &mut ChartContext<'a, Picture<'b>, Cartesian2d<X, Y>>,
    position: SeriesLabelPosition,
) -> Drawn {
    chart
        .configure_series_labels()
        .position(position)
        .label_font((FONT, 13))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.2))
        .draw()
}

/// A line up to `end`, and a last point there if it goes on behind it.
fn cut(line: &[(f64, f64)], end: f64) -> Vec<(f64, f64)> {
    let inside = line.partition_point(|point| point.0 <= end);
    let mut cut = line[..inside].to_vec();
    if let (Some(&(from, before)), Some(&(to, after))) = (cut.last(), line.get(inside)) {
        cut.push((end, before + (after - before) * (end - from) / (to - from)));
    }
    cut
}
