//! What to say of a clock's error: moments, percentiles, settling, MTIE and TDEV.

use serde::Serialize;

/// Steps of the observation intervals within a decade.
const STEPS: [usize; 3] = [1, 2, 5];

/// A clock's error at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// True time since the start, s.
    pub at_s: f64,
    /// Reading minus truth, ns.
    pub error_ns: f64,
    /// The same of the server whose time it keeps, ns.
    pub server_error_ns: f64,
    /// What the client takes its offset for, ns; `None` while it cannot tell.
    pub estimate_ns: Option<f64>,
    /// 99 % bound that it gives for that, ns.
    pub bound_ns: Option<f64>,
}

/// A value for an observation interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Observation interval, s.
    pub tau_s: f64,
    /// ns.
    pub ns: f64,
}

/// How true the bounds are that a client gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bound {
    /// Share of the time in which the true offset from the server was within the bound of the estimate, 0 to 1.
    pub held: f64,
    /// Mean of the bound, ns.
    pub mean_ns: f64,
    /// Root mean square of estimate minus true offset from the server, ns.
    pub estimate_rms_ns: f64,
}

/// A run in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Mean of the error, ns.
    pub mean_ns: f64,
    /// Its root mean square, ns.
    pub rms_ns: f64,
    /// 99 % of the time its magnitude is no larger, ns.
    pub p99_ns: f64,
    /// Its largest magnitude, ns.
    pub max_ns: f64,
    /// At the end, ns.
    pub last_ns: f64,
    /// How long after the start it was within the limit for good, s; `None` if it was not at the end.
    pub settled_s: Option<f64>,
    /// `None` where the client gave no bound.
    pub bound: Option<Bound>,
    /// Maximum time interval error (ITU-T G.810, 4.5.13).
    pub mtie: Vec<Point>,
    /// Time deviation (ITU-T G.810, 4.5.15).
    pub tdev: Vec<Point>,
}

impl Statistics {
    /// Of samples a second apart: settling within `limit_ns` counts from the start, all else from `from_s` on.
    /// `None` if there are none.
    pub fn of(samples: &[Sample], from_s: f64, limit_ns: f64) -> Option<Self> {
        let measured = &samples[samples.partition_point(|sample| sample.at_s <= from_s)..];
        let errors: Vec<f64> = measured.iter().map(|sample| sample.error_ns).collect();
        let &last_ns = errors.last()?;
        let mut magnitudes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        magnitudes.sort_unstable_by(f64::total_cmp);
        let rank = (0.99 * magnitudes.len() as f64).ceil() as usize;
        Some(Self {
            mean_ns: errors.iter().sum::<f64>() / errors.len() as f64,
            rms_ns: rms(errors.iter().copied())?,
            p99_ns: magnitudes[rank.max(1) - 1],
            max_ns: *magnitudes.last()?,
            last_ns,
            settled_s: settled(samples, limit_ns),
            bound: Bound::of(measured),
            mtie: intervals(errors.len().saturating_sub(1), |n| mtie(&errors, n)),
            tdev: intervals(errors.len() / 3, |n| tdev(&errors, n)),
        })
    }
}

impl Bound {
    fn of(samples: &[Sample]) -> Option<Self> {
        let told: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|sample| {
                let offset = sample.error_ns - sample.server_error_ns;
                Some((sample.estimate_ns? - offset, sample.bound_ns?))
            })
            .collect();
        let held = told.iter().filter(|(error, bound)| error.abs() <= *bound).count();
        Some(Self {
            estimate_rms_ns: rms(told.iter().map(|(error, _)| *error))?,
            held: held as f64 / told.len() as f64,
            mean_ns: told.iter().map(|(_, bound)| bound).sum::<f64>() / told.len() as f64,
        })
    }
}

/// Root mean square; `None` of nothing.
pub fn rms(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.into_iter().fold((0_u32, 0.0), |(n, sum), value| (n + 1, sum + value * value));
    (count > 0).then(|| (sum / f64::from(count)).sqrt())
}

/// From which sample on the error is within the limit.
fn settled(samples: &[Sample], limit_ns: f64) -> Option<f64> {
    let outside = samples.iter().rposition(|sample| sample.error_ns.abs() > limit_ns);
    samples.get(outside.map_or(0, |last| last + 1)).map(|sample| sample.at_s)
}

/// A value for each of 1, 2, 5, 10, … seconds up to `longest`.
fn intervals(longest: usize, value: impl Fn(usize) -> f64) -> Vec<Point> {
    let decades = std::iter::successors(Some(1_usize), |decade| decade.checked_mul(10));
    decades
        .flat_map(|decade| STEPS.map(|step| step.saturating_mul(decade)))
        .take_while(|&n| n <= longest)
        .map(|n| Point { tau_s: n as f64, ns: value(n) })
        .collect()
}

/// Largest peak-to-peak value within any `n` intervals, that is `n + 1` samples.
fn mtie(errors: &[f64], n: usize) -> f64 {
    let (mut widest, window) = (0.0_f64, n + 1);
    // Positions of what may still become the largest and the smallest, each worse than the one before.
    let (mut largest, mut smallest) = (Vec::new(), Vec::new());
    let (mut first_largest, mut first_smallest) = (0, 0);
    for (i, &error) in errors.iter().enumerate() {
        while largest.len() > first_largest && largest.last().is_some_and(|&k: &usize| errors[k] <= error) {
            largest.pop();
        }
        while smallest.len() > first_smallest && smallest.last().is_some_and(|&k: &usize| errors[k] >= error)
        {
            smallest.pop();
        }
        largest.push(i);
        smallest.push(i);
        first_largest += usize::from(largest[first_largest] + window <= i);
        first_smallest += usize::from(smallest[first_smallest] + window <= i);
        widest = widest.max(errors[largest[first_largest]] - errors[smallest[first_smallest]]);
    }
    widest
}

/// Time deviation over `n` intervals; needs `3 n` samples.
fn tdev(errors: &[f64], n: usize) -> f64 {
    let second_difference = |i: usize| errors[i + 2 * n] - 2.0 * errors[i + n] + errors[i];
    let groups = errors.len() + 1 - 3 * n;
    let mut sum: f64 = (0..n).map(second_difference).sum();
    let mut squares = sum * sum;
    for start in 1..groups {
        sum += second_difference(start + n - 1) - second_difference(start - 1);
        squares += sum * sum;
    }
    let n = n as f64;
    (squares / (6.0 * n * n * groups as f64)).sqrt()
}

#[cfg(test)]
mod tests;
