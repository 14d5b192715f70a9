//! Who is right when servers disagree: those whose errors, with their bounds, have a time in common that most of them
//! share (Marzullo, 1984).

/// Between these the true offset must be by one server, ns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Least.
    pub low: f64,
    /// Largest.
    pub high: f64,
}

impl Span {
    /// Around `middle`.
    pub fn around(middle: f64, half_width: f64) -> Self {
        Self { low: middle - half_width, high: middle + half_width }
    }

    /// There is an offset that both allow.
    pub fn meets(&self, other: &Self) -> bool {
        self.low <= other.high && other.low <= self.high
    }

    fn holds(&self, offset: f64) -> bool {
        (self.low..=self.high).contains(&offset)
    }
}

/// The offsets that more than half of the spans allow, or rather those of them that most allow; `None` if no offset
/// has such a majority.
pub fn majority(spans: &[Span]) -> Option<Span> {
    let allowed_by = |offset: f64| spans.iter().filter(|span| span.holds(offset)).count();
    // The offset that most allow is the lower end of one of the spans.
    let best = spans.iter().map(|span| span.low).max_by_key(|&low| allowed_by(low))?;
    if 2 * allowed_by(best) <= spans.len() {
        return None;
    }
    let holding = spans.iter().filter(|span| span.holds(best));
    let high = holding.map(|span| span.high).fold(f64::INFINITY, f64::min);
    Some(Span { low: best, high })
}

#[cfg(test)]
mod tests;
