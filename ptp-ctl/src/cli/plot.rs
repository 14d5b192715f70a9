//! `ptp-ctl plot`: the log of a client as a picture.

use super::drawing::{Area, BOUND, Drawn, ESTIMATE, FONT, Ns, Output, TRUTH, legend, mtie};
use crate::engine::client::Record;
use crate::sim::statistics::{Sample, Statistics};
use anyhow::{Context as _, anyhow, ensure};
use plotters::prelude::*;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

const SIZE: (u32, u32) = (1100, 1000);
/// A panel shows this share of the values; what sticks out is the start.
const SHOWN: f64 = 0.98;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What `client --record`, `client --json` or `stats --watch` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// SVG or PNG file to write: NAME.svg or NAME.png
    #[arg(short, long, value_name = "FILE")]
    output: Output,
    /// Of a record of several servers, the one that is drawn; the first one in it if left out
    #[arg(long, value_name = "ADDR")]
    server: Option<IpAddr>,
}

/// One line of a log.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    /// CLOCK_REALTIME or the server's time, s.
    at: f64,
    /// Of one exchange, ns.
    offset: Option<f64>,
    /// By all packets so far, ns.
    estimate: Option<f64>,
    /// 99 % bound of that, ns.
    bound: Option<f64>,
    /// ns.
    delay: Option<f64>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let file = File::open(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let (mut points, mut server) = (Vec::new(), args.server);
    for line in BufReader::new(file).lines() {
        let line = line.with_context(|| format!("cannot read {}", args.file.display()))?;
        points.extend(serde_json::from_str(&line).ok().and_then(|line| point(line, &mut server)));
    }
    points.sort_by(|a, b| a.at.total_cmp(&b.at));
    ensure!(
        points.len() > 1,
        "{}: no lines that `client --record`, `client --json` or `stats --watch` would write of a client{}",
        args.file.display(),
        server.map(|server| format!(" of {server}")).unwrap_or_default()
    );
    let start = points[0].at;
    points.iter_mut().for_each(|point| point.at -= start);
    draw(&args.output.area(SIZE), &args.file.display().to_string(), &points)
        .map_err(|error| anyhow!("cannot draw {}: {error}", args.output))?;
    Ok(ExitCode::SUCCESS)
}

/// `None` of a line that is something else, or of another server.
fn point(line: Value, server: &mut Option<IpAddr>) -> Option<Point> {
    if line.get("t1").is_some() {
        let record: Record = serde_json::from_value(line).ok()?;
        let (there, back) = (record.stamps.from_server(), record.stamps.to_server());
        return (*server.get_or_insert(record.server) == record.server).then_some(Point {
            at: record.stamps.t1 as f64 / 1e9,
            offset: Some((there - back) / 2.0),
            estimate: record.estimated_offset,
            bound: None,
            delay: Some(f64::midpoint(there, back)),
        });
    }
    let is_sample = line["type"] == "sample" && line["selected"] == true;
    let is_stats = line["version"].is_u64() && line["running"] == true;
    if !is_sample && !is_stats {
        return None;
    }
    // A boundary clock's client is a part of its document.
    let client = if line["upstream"].is_object() { &line["upstream"] } else { &line };
    let number = |key: &str| client[key].as_f64();
    let point = Point {
        at: line["time_ns"].as_f64()? / 1e9,
        offset: number("offset_ns"),
        estimate: number("estimated_offset_ns"),
        bound: number("bound_ns"),
        delay: number("path_delay_ns"),
    };
    point.offset.or(point.estimate).map(|_| point)
}

fn draw(area: &Area<'_>, title: &str, points: &[Point]) -> Drawn {
    area.fill(&WHITE)?;
    let panels = area.split_evenly((3, 1));
    let [offsets, delays, intervals] = &panels[..] else { return Ok(()) };
    let of = |get: fn(&Point) -> Option<f64>| -> Vec<(f64, f64)> {
        points.iter().filter_map(|point| Some((point.at, get(point)?))).collect()
    };
    let bounds: Vec<_> = points
        .iter()
        .filter_map(|point| {
            let (estimate, bound) = (point.estimate?, point.bound?);
            Some((point.at, estimate - bound, estimate + bound))
        })
        .collect();
    let exchanges = (of(|point| point.offset), TRUTH.mix(0.35), "single exchanges");
    let label = if bounds.is_empty() { "estimate" } else { "estimate with its 99 % bound" };
    let estimates = (of(|point| point.estimate), ESTIMATE.to_rgba(), label);
    panel(offsets, title, "offset", &[exchanges, estimates], &bounds)?;
    panel(delays, "", "path delay", &[(of(|point| point.delay), TRUTH.to_rgba(), "path delay")], &[])?;
    let samples = each_second(points);
    match Statistics::of(&samples, 0.0, f64::MAX).filter(|statistics| statistics.mtie.len() > 1) {
        Some(statistics) => mtie(intervals, "of the estimate, as the client saw it", &statistics, &[], "")?,
        None => intervals.titled("too short for MTIE and TDEV", (FONT, 15)).map(drop)?,
    }
    area.present()
}

type Line<'a> = (Vec<(f64, f64)>, RGBAColor, &'a str);

fn panel(area: &Area<'_>, title: &str, what: &str, lines: &[Line<'_>], bounds: &[(f64, f64, f64)]) -> Drawn {
    let end = lines.iter().flat_map(|(line, ..)| line.last()).fold(1.0, |end: f64, point| end.max(point.0));
    let mut values: Vec<f64> = lines.iter().flat_map(|(line, ..)| line).map(|point| point.1).collect();
    values.sort_unstable_by(f64::total_cmp);
    let rank = |share: f64| values.get((share * values.len() as f64) as usize).or(values.last());
    let (low, high) = (rank((1.0 - SHOWN) / 2.0), rank((1.0 + SHOWN) / 2.0));
    let (low, high) = (low.copied().unwrap_or(0.0), high.copied().unwrap_or(0.0));
    let margin = (0.25 * (high - low)).max(1.0);
    let (low, high) = (low - margin, high + margin);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(24)
        .caption(title, (FONT, 17))
        .x_label_area_size(36)
        .y_label_area_size(84)
        .build_cartesian_2d(0.0..end, low..high)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.1))
        .axis_style(BLACK.mix(0.5))
        .label_style((FONT, 13))
        .x_desc("seconds since the start")
        .y_desc(what)
        .y_label_formatter(&|ns| Ns(*ns).to_string())
        .draw()?;
    chart.draw_series(bounds.iter().map(|&(at, from, to)| {
        PathElement::new([(at, from.clamp(low, high)), (at, to.clamp(low, high))], BOUND.stroke_width(1))
    }))?;
    for (line, colour, label) in lines.iter().filter(|(line, ..)| !line.is_empty()) {
        let (line, colour) = (line.iter().map(|&(at, ns)| (at, ns.clamp(low, high))), *colour);
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(1)))?
            .label(*label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    legend(&mut chart, SeriesLabelPosition::UpperRight)
}

/// The last value of every second: MTIE and TDEV are of such.
fn each_second(points: &[Point]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut rest = points.iter().peekable();
    let mut last = None;
    for second in 1..=points.last().map_or(0, |point| point.at as u32) {
        let at_s = f64::from(second);
        while let Some(point) = rest.next_if(|point| point.at <= at_s) {
            last = point.estimate.or(point.offset).or(last);
        }
        let Some(error_ns) = last else { continue };
        samples.push(Sample { at_s, error_ns, server_error_ns: 0.0, estimate_ns: None, bound_ns: None });
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn all_three_logs_are_understood() {
        let stamps = json!({"t1": 10_000, "t2": 11_500, "t3": 20_000, "t4": 20_500, "sync_correction": 0.0, "delay_correction": 0.0});
        let mut record = json!({"server": "10.0.1.2", "estimated_offset": 400.0});
        record.as_object_mut().unwrap().extend(stamps.as_object().unwrap().clone());
        let mut server = None;
        let drawn = point(record.clone(), &mut server).unwrap();
        assert_eq!((drawn.offset, drawn.delay, drawn.estimate), (Some(500.0), Some(1_000.0), Some(400.0)));
        record["server"] = "10.0.2.2".into();
        assert_eq!(point(record, &mut server), None);
        let sample = json!({"type": "sample", "selected": true, "time_ns": 2_000_000_000_u64, "offset_ns": 5.0, "bound_ns": 9.0,
            "estimated_offset_ns": 4.0, "path_delay_ns": 70.0});
        let drawn = point(sample.clone(), &mut server).unwrap();
        let Point { at, offset, estimate, bound, delay } = drawn;
        assert_eq!((at, offset, estimate, bound, delay), (2.0, Some(5.0), Some(4.0), Some(9.0), Some(70.0)));
        let mut stats = sample;
        stats["version"] = 1.into();
        stats["running"] = true.into();
        stats["type"] = Value::Null;
        assert_eq!(point(stats, &mut server), Some(drawn));
        assert_eq!(point(json!({"type": "event", "time_ns": 1}), &mut server), None);
    }

    /// A log of 100 s in a directory of its own.
    fn log(directory: &Path) -> PathBuf {
        let line = |second: u64| {
            json!({"type": "sample", "selected": true, "time_ns": second * 1_000_000_000,
            "offset_ns": 5.0 * (second % 7) as f64, "estimated_offset_ns": 4.0 + (second % 3) as f64, "bound_ns": 9.0, "path_delay_ns": 70.0})
        };
        let text: Vec<_> = (100..200).map(|second| line(second).to_string()).collect();
        let file = directory.join("log.jsonl");
        std::fs::write(&file, text.join("\n")).unwrap();
        file
    }

    fn drawn(file: &Path, output: &Path) -> anyhow::Result<()> {
        let output = output.display().to_string().parse()?;
        run(&Args { file: file.to_owned(), output, server: None }).map(drop)
    }

    #[test]
    fn a_log_becomes_a_picture() {
        let directory = tempfile::tempdir().unwrap();
        let (file, output) = (log(directory.path()), directory.path().join("log.svg"));
        drawn(&file, &output).unwrap();
        let picture = std::fs::read_to_string(&output).unwrap();
        assert!(["MTIE", "TDEV", "path delay", "single exchanges"].iter().all(|text| picture.contains(text)));
        std::fs::write(&file, "nothing of ours\n").unwrap();
        let error = drawn(&file, &output).unwrap_err().to_string();
        assert!(error.contains("client --record"), "{error}");
    }

    #[test]
    fn a_log_becomes_pixels() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("log.png");
        drawn(&log(directory.path()), &output).unwrap();
        let file = BufReader::new(File::open(&output).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.height, frame.color_type), (SIZE.0, SIZE.1, png::ColorType::Rgb));
        let count = |RGBColor(red, green, blue): RGBColor| {
            pixels.chunks(3).filter(|pixel| **pixel == [red, green, blue]).count()
        };
        // Curves, text and paper.
        for (colour, least) in [(TRUTH, 100), (ESTIMATE, 100), (BLACK, 500), (WHITE, 100_000)] {
            assert!(count(colour) > least, "{} of {colour:?}", count(colour));
        }
    }
}
