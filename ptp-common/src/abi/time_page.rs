//! The page on which a client tells programs what time it is, and how sure that is.

/// What [`TimePage::to_bytes`] begins with.
const MAGIC: [u8; 8] = *b"PTPTIME\0";
/// Of the layout; raised by every change.
const VERSION: u32 = 1;
/// Where the sequence number is.
pub const SEQUENCE: usize = 16;
/// Where the check sum is, behind everything else.
const CHECK: usize = TimePage::SIZE - 8;
/// accuracy_ns on the page where it is not known.
const UNKNOWN: u64 = u64::MAX;
const PTP_TIMESCALE: u32 = 1 << 0;
const UTC_OFFSET_VALID: u32 = 1 << 1;

/// Where the writer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeState {
    /// It has no time to tell: no server yet, or it was stopped.
    #[default]
    Nothing = 0,
    /// It follows a server and has not settled, or it only measures.
    Measuring = 1,
    /// It follows a server.
    Locked = 2,
    /// It has lost its servers; the bound grows.
    Holdover = 3,
}

impl TimeState {
    const ALL: [Self; 4] = [Self::Nothing, Self::Measuring, Self::Locked, Self::Holdover];

    /// Stable short name, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Measuring => "measuring",
            Self::Locked => "locked",
            Self::Holdover => "holdover",
        }
    }
}

/// What the page says.
///
/// It is a file of [`TimePage::SIZE`] octets in a directory of the machine's memory (`/run`), little-endian, written
/// whenever something new is known and twice a second besides. Its numbers are relative to CLOCK_MONOTONIC_RAW, which nobody sets or
/// slews: between two writings a program goes on by that clock alone.
///
/// A copy that was taken while the page was written is told from a good one: the sequence number is odd then, and a check sum over the
/// whole page finds every other mixture, whatever order the octets were copied in. Take another copy then.
///
/// ```
/// use ptp_common::abi::{NoTime, TimePage, TimeState};
///
/// // A copy of the page, and then CLOCK_MONOTONIC_RAW, ns.
/// # let copy = TimePage {
/// #     state: TimeState::Locked, accuracy_ns: Some(100), bound_ns: 900, time_ns: 5_000, reference_ns: 70_000,
/// #     ..TimePage::default()
/// # }.to_bytes(2);
/// # let raw_ns = 70_500;
/// let page = TimePage::from_bytes(&copy)?;
/// match page.at(raw_ns) {
///     Ok(span) => assert!((span.earliest_ns, span.latest_ns) == (4_500, 6_500)),
///     Err(NoTime::AccuracyUnknown) => println!("the server does not say how good it is"),
///     Err(other) => println!("{other}"),
/// }
/// # Ok::<(), ptp_common::abi::TimePageError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimePage {
    /// CLOCK_MONOTONIC_RAW when this was written, ns: the reference of all the rest.
    pub reference_ns: u64,
    /// The server's time at the reference, ns since the epoch of its timescale.
    pub time_ns: i64,
    /// How much faster than CLOCK_MONOTONIC_RAW that time runs, in units of 2^-32.
    pub rate: i64,
    /// 99 % bound of `time_ns` at the reference if the shortest delays of both directions are equal, ns.
    pub bound_ns: u64,
    /// What unequal delays can add to it, ns.
    pub asymmetry_bound_ns: u64,
    /// The server's own clockAccuracy, ns; `None` where it does not say.
    pub accuracy_ns: Option<u64>,
    /// What the bound grows by with age, in units of 2^-32.
    pub growth: u64,
    /// The local clock minus the server's time at the reference, ns.
    pub offset_ns: i64,
    /// Where the writer stands.
    pub state: TimeState,
    /// `time_ns` counts TAI (ptpTimescale); else an arbitrary timescale, with most such servers UTC.
    pub ptp_timescale: bool,
    /// TAI - UTC, s, where the server says it.
    pub utc_offset: Option<i16>,
}

/// Between these two the server's true time lies, with the probability of the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// ns since the epoch of the server's timescale.
    pub earliest_ns: i64,
    /// The same.
    pub latest_ns: i64,
}

/// Why there is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTime {
    /// The writer has none: it has heard of no server yet, or was stopped.
    #[error("no server's time is known (yet)")]
    Nothing,
    /// Nothing was written for longer than [`TimePage::PATIENCE_NS`]: the writer is dead, or stands still.
    #[error("the page was not written for {age_ns} ns: the controller that writes it does not run")]
    WriterGone {
        /// How long, ns.
        age_ns: u64,
    },
    /// The server does not say how good its own time is, so that nothing is known of the true time.
    #[error("the server announces no clockAccuracy: how far it is from the true time is not known")]
    AccuracyUnknown,
}

/// Why octets are no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimePageError {
    /// It was being written: take another copy.
    #[error("the page was being written")]
    Torn,
    /// Not such a page, or one of another version.
    #[error("not a time page of version {VERSION}")]
    Foreign,
}

impl TimePage {
    /// Octets of the page.
    pub const SIZE: usize = 128;
    /// A page that was not written for so long has no writer any more, ns.
    pub const PATIENCE_NS: u64 = 2_000_000_000;

    /// As it is written; `sequence` is even.
    pub fn to_bytes(&self, sequence: u64) -> [u8; Self::SIZE] {
        let mut octets = [0; Self::SIZE];
        let flags = if self.ptp_timescale { PTP_TIMESCALE } else { 0 }
            | if self.utc_offset.is_some() { UTC_OFFSET_VALID } else { 0 };
        let low = |value: u32| u64::from(value);
        let fields = [
            u64::from_le_bytes(MAGIC),
            low(VERSION) | (Self::SIZE as u64) << 32,
            sequence,
            self.reference_ns,
            self.time_ns.cast_unsigned(),
            self.rate.cast_unsigned(),
            self.bound_ns,
            self.asymmetry_bound_ns,
            self.accuracy_ns.unwrap_or(UNKNOWN),
            self.growth,
            self.offset_ns.cast_unsigned(),
            low(self.state as u32) | low(flags) << 32,
            low(i32::from(self.utc_offset.unwrap_or(0)).cast_unsigned()),
        ];
        for (place, field) in octets.as_chunks_mut::<8>().0.iter_mut().zip(fields) {
            *place = field.to_le_bytes();
        }
        let check = check_sum(&octets).to_le_bytes();
        if let Some(place) = octets.last_chunk_mut() {
            *place = check;
        }
        octets
    }

    /// From a copy.
    ///
    /// # Errors
    /// [`TimePageError::Torn`]: take another copy. [`TimePageError::Foreign`].
    pub fn from_bytes(octets: &[u8; Self::SIZE]) -> Result<Self, TimePageError> {
        let mut words = octets.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut word = || words.next().unwrap_or_default();
        let (magic, head, sequence) = (word(), word(), word());
        if magic != u64::from_le_bytes(MAGIC) || head != u64::from(VERSION) | (Self::SIZE as u64) << 32 {
            return Err(TimePageError::Foreign);
        }
        let [reference_ns, time, rate, bound_ns, asymmetry_bound_ns, accuracy, growth, offset] =
            core::array::from_fn(|_| word());
        let (state_and_flags, utc_offset) = (word(), word());
        let check = octets.last_chunk().map_or(0, |check| u64::from_le_bytes(*check));
        if sequence % 2 == 1 || check != check_sum(octets) {
            return Err(TimePageError::Torn);
        }
        let (state, flags) = (state_and_flags as u32, (state_and_flags >> 32) as u32);
        let state = TimeState::ALL.into_iter().find(|known| *known as u32 == state);
        Ok(Self {
            reference_ns,
            time_ns: time.cast_signed(),
            rate: rate.cast_signed(),
            bound_ns,
            asymmetry_bound_ns,
            accuracy_ns: (accuracy != UNKNOWN).then_some(accuracy),
            growth,
            offset_ns: offset.cast_signed(),
            state: state.ok_or(TimePageError::Foreign)?,
            ptp_timescale: flags & PTP_TIMESCALE != 0,
            utc_offset: (flags & UTC_OFFSET_VALID != 0).then_some(utc_offset as i16),
        })
    }

    /// How old it is when CLOCK_MONOTONIC_RAW reads `raw_ns`, ns.
    pub const fn age_ns(&self, raw_ns: u64) -> u64 {
        raw_ns.saturating_sub(self.reference_ns)
    }

    /// The server's time, most likely, when CLOCK_MONOTONIC_RAW reads `raw_ns`; ns since the epoch of its timescale.
    ///
    /// # Errors
    /// [`NoTime::Nothing`], [`NoTime::WriterGone`].
    pub fn most_likely_ns(&self, raw_ns: u64) -> Result<i64, NoTime> {
        let age_ns = self.age_ns(raw_ns);
        if self.state == TimeState::Nothing {
            return Err(NoTime::Nothing);
        }
        if age_ns > Self::PATIENCE_NS {
            return Err(NoTime::WriterGone { age_ns });
        }
        let gained = (i128::from(age_ns) * i128::from(self.rate)) >> 32;
        let time = i128::from(self.time_ns) + i128::from(age_ns) + gained;
        Ok(saturated(time))
    }

    /// Earliest and latest when CLOCK_MONOTONIC_RAW reads `raw_ns`.
    ///
    /// # Errors
    /// See [`NoTime`].
    pub fn at(&self, raw_ns: u64) -> Result<TimeSpan, NoTime> {
        let time = i128::from(self.most_likely_ns(raw_ns)?);
        let accuracy = self.accuracy_ns.ok_or(NoTime::AccuracyUnknown)?;
        let grown = (u128::from(self.age_ns(raw_ns)) * u128::from(self.growth)).div_ceil(1 << 32);
        let terms = [self.bound_ns, self.asymmetry_bound_ns, accuracy];
        let bound = terms.into_iter().map(u128::from).sum::<u128>().saturating_add(grown);
        let bound = i128::try_from(bound).unwrap_or(i128::MAX);
        Ok(TimeSpan {
            earliest_ns: saturated(time.saturating_sub(bound)),
            latest_ns: saturated(time.saturating_add(bound)),
        })
    }
}

fn saturated(nanos: i128) -> i64 {
    nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// FNV-1a of everything before it.
fn check_sum(octets: &[u8; TimePage::SIZE]) -> u64 {
    octets
        .iter()
        .take(CHECK)
        .fold(0xcbf2_9ce4_8422_2325, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> TimePage {
        TimePage {
            reference_ns: 0x0102_0304_0506_0708,
            time_ns: 1_700_000_000_123_456_789,
            rate: -(1 << 16),
            bound_ns: 1_500,
            asymmetry_bound_ns: 30_000,
            accuracy_ns: Some(100),
            growth: 1 << 22,
            offset_ns: -42,
            state: TimeState::Locked,
            ptp_timescale: true,
            utc_offset: Some(37),
        }
    }

    #[test]
    fn the_layout_is_fixed() {
        let octets = page().to_bytes(6);
        assert_eq!(octets[..8], *b"PTPTIME\0");
        assert_eq!(octets[8..16], [1, 0, 0, 0, 128, 0, 0, 0]);
        assert_eq!(octets[16..24], [6, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[24..32], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(octets[32..40], 1_700_000_000_123_456_789_i64.to_le_bytes());
        assert_eq!(octets[40..48], (-65_536_i64).to_le_bytes());
        assert_eq!(octets[48..56], 1_500_u64.to_le_bytes());
        assert_eq!(octets[56..64], 30_000_u64.to_le_bytes());
        assert_eq!(octets[64..72], 100_u64.to_le_bytes());
        assert_eq!(octets[72..80], (1_u64 << 22).to_le_bytes());
        assert_eq!(octets[80..88], (-42_i64).to_le_bytes());
        assert_eq!(octets[88..96], [2, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(octets[96..104], [37, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(octets[104..120], [0; 16]);
    }

    #[test]
    fn what_was_written_is_read() {
        for state in TimeState::ALL {
            for (accuracy_ns, utc_offset) in [(None, None), (Some(7), Some(-3))] {
                let page = TimePage { state, accuracy_ns, utc_offset, ..page() };
                assert_eq!(TimePage::from_bytes(&page.to_bytes(2)), Ok(page));
            }
        }
    }

    /// Whatever part of a copy is older than the rest, it is not taken for a page.
    #[test]
    fn every_mixture_of_two_pages_is_torn() {
        let old = page().to_bytes(4);
        let new = TimePage { reference_ns: 7, time_ns: 9, bound_ns: 1, ..page() }.to_bytes(6);
        for cut in 1..TimePage::SIZE {
            let mut mixed = new;
            mixed[cut..].copy_from_slice(&old[cut..]);
            let whole = mixed == new || mixed == old;
            let read = TimePage::from_bytes(&mixed);
            assert_eq!(read == Err(TimePageError::Torn), !whole, "{cut}: {read:?}");
        }
        assert_eq!(TimePage::from_bytes(&page().to_bytes(5)), Err(TimePageError::Torn));
    }

    #[test]
    fn other_octets_are_no_page() {
        assert_eq!(TimePage::from_bytes(&[0; TimePage::SIZE]), Err(TimePageError::Foreign));
        let mut other_version = page().to_bytes(2);
        other_version[8] = 2;
        assert_eq!(TimePage::from_bytes(&other_version), Err(TimePageError::Foreign));
    }

    #[test]
    fn time_goes_on_at_its_rate_and_the_bound_grows() {
        let page = TimePage { reference_ns: 1_000, time_ns: 0, ..page() };
        let fresh = page.at(1_000).unwrap();
        assert_eq!((fresh.earliest_ns, fresh.latest_ns), (-31_600, 31_600));
        // A second later: 2^-16 slower, and 2^-10 wider.
        let later = page.at(1_000_001_000).unwrap();
        assert_eq!(later.earliest_ns + later.latest_ns, 2 * (1_000_000_000 - 15_259));
        assert_eq!(later.latest_ns - later.earliest_ns, 2 * (31_600 + 976_563));
    }

    #[test]
    fn what_is_not_known_is_said() {
        let silent = TimePage { accuracy_ns: None, ..page() };
        let now = page().reference_ns;
        assert_eq!(silent.at(now), Err(NoTime::AccuracyUnknown));
        assert!(silent.most_likely_ns(now).is_ok());
        let nothing = TimePage { state: TimeState::Nothing, ..page() };
        assert_eq!(nothing.at(now), Err(NoTime::Nothing));
        let age_ns = TimePage::PATIENCE_NS + 1;
        assert!(page().at(now + age_ns - 1).is_ok());
        assert_eq!(page().at(now + age_ns), Err(NoTime::WriterGone { age_ns }));
    }

    #[test]
    fn no_numbers_overflow() {
        let page = TimePage {
            time_ns: i64::MAX,
            rate: i64::MAX,
            bound_ns: u64::MAX,
            asymmetry_bound_ns: u64::MAX,
            accuracy_ns: Some(u64::MAX - 1),
            growth: u64::MAX,
            reference_ns: 0,
            ..page()
        };
        let span = page.at(TimePage::PATIENCE_NS).unwrap();
        assert_eq!((span.earliest_ns < 0, span.latest_ns), (true, i64::MAX));
    }
}
