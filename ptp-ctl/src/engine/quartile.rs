//! What is usual among a few numbers.

/// The value that `quarters` quarters of `values` lie below (0 of none). Sorts a copy of at most `N` of them.
pub(super) fn quartile<const N: usize>(values: impl Iterator<Item = f64>, quarters: usize) -> f64 {
    let mut sorted: arrayvec::ArrayVec<f64, N> = values.take(N).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() * quarters / 4).copied().unwrap_or(0.0)
}
