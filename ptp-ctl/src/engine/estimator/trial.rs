//! What to make of packets that contradict everything known.

use super::bank::Bank;
use super::excess::Posterior;
use super::filter::Filter;
use super::{Direction, Leg};

/// A leg is stray if it says nothing with at least this probability.
const STRAY: f64 = 0.5;
/// A leg is early if it comes so many standard deviations before the shortest could.
const LEAD: f64 = 5.0;
/// So many early packets, each counting for less with every one that is not, make a suspicion.
const EARLY: f64 = 1.5;
const EARLY_FADES: f64 = 0.8;
/// Variance is multiplied by this when the filter was too sure of itself.
const DOUBT: f64 = 4.0;
/// Legs in a row whose shortest is compared with what is usual: few for a large change, many for a small one.
const BLOCKS: [i32; 3] = [16, 64, 256];
/// Probability of such a block below which the way is suspected to have become longer.
const SUSPICIOUS: f64 = 1e-7;
/// Legs after which the most probable explanation is taken at the latest.
const LONGEST_TRIAL: u32 = 48;
/// A clock whose rate changed has gone wrong by what is seen in about so long, s.
const RATE_TIME: f64 = 1.0;
/// Legs that it needs at the least.
const SHORTEST_TRIAL: u32 = 12;
/// An explanation that is so much more probable than all others (ln) is taken at once.
const CLEAR: f64 = 12.0;
/// A change must be so much more probable than none (ln).
const MARGIN: f64 = 12.0;
/// Load must be so much more probable than a filter that was too sure of itself (ln): what was learned of the excess is lost by it.
const LOAD_MARGIN: f64 = 30.0;

/// What happened between client and server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// The way in one direction became longer or shorter.
    Route(Direction),
    /// The way changed in both directions.
    Routes,
    /// One of the two clocks was set or is being slewed, by about so many ns so far (positive: the local one is further ahead
    /// than before).
    Time(f64),
}

/// Watches for packets that are too early, or too late for too long, and tries explanations when there are.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    early: [f64; 2],
    blocks: [[Block; BLOCKS.len()]; 2],
    trial: Option<Box<Trial>>,
}

/// The shortest of some packets in a row.
#[derive(Clone, Copy, Debug)]
struct Block {
    count: i32,
    least: f64,
}

impl Default for Block {
    fn default() -> Self {
        Self { count: 0, least: f64::INFINITY }
    }
}

impl Block {
    /// Takes in an excess, ns; the least of the block when `length` are in it.
    fn push(&mut self, excess: f64, length: i32) -> Option<f64> {
        self.least = self.least.min(excess);
        self.count += 1;
        if self.count < length {
            return None;
        }
        let least = self.least;
        *self = Self::default();
        Some(least)
    }
}

/// Explanations side by side; the first is that nothing happened, the second that the filter was too sure. Load is no change either: the
/// shortest delay is still there, only that hardly a packet has it. Its filter learns anew what the others take.
#[derive(Clone, Debug)]
struct Trial {
    explanations: [(Option<Change>, Filter, f64); 10],
    legs: u32,
    /// What was expected before.
    before: Filter,
}

impl Watch {
    /// A stray packet while little is known: whatever is known is less certain.
    pub(super) fn stray_at_start(&mut self, bank: &mut Bank, leg: Leg) {
        self.early[leg.direction as usize] += 1.0;
        if self.early[leg.direction as usize] > EARLY {
            self.early = [0.0; 2];
            let mut middle = *bank.middle();
            middle.doubt(DOUBT);
            *bank = Bank::new(middle);
        }
    }

    /// Takes in a leg and says what has changed when that has become clear.
    pub(super) fn update(&mut self, bank: &mut Bank, leg: Leg) -> Option<Change> {
        let before = *bank.middle();
        let excess = before.excess_of(leg);
        let Posterior { stray, lead, .. } = bank.update(leg);
        if let Some(trial) = &mut self.trial {
            let (change, filter) = trial.update(leg)?;
            *bank = Bank::new(filter);
            *self = Self::default();
            return change;
        }
        let place = leg.direction as usize;
        self.early[place] *= EARLY_FADES;
        if lead > LEAD || stray > STRAY && excess < 0.0 {
            self.early[place] += 1.0;
        }
        let mut late = None;
        for (block, length) in self.blocks[place].iter_mut().zip(BLOCKS) {
            let least = block.push(excess, length).filter(|&least| least > 0.0);
            late = late
                .or(least.filter(|&least| before.survival(leg.direction, least).powi(length) < SUSPICIOUS));
        }
        let size = if self.early[place] > EARLY { Some(excess) } else { late };
        if let Some(size) = size {
            self.early = [0.0; 2];
            self.trial = Some(Box::new(Trial::new(before, size.abs())));
        }
        None
    }
}

impl Trial {
    fn new(filter: Filter, size: f64) -> Self {
        let explain = |change, alter: &dyn Fn(&mut Filter)| {
            let mut filter = filter;
            alter(&mut filter);
            (change, filter, 0.0)
        };
        let (from, to) = (Direction::FromServer, Direction::ToServer);
        Self {
            explanations: [
                explain(None, &|_| {}),
                explain(None, &|filter| filter.doubt(DOUBT)),
                explain(Some(Change::Route(from)), &|filter| filter.reroute(from, size)),
                explain(Some(Change::Route(to)), &|filter| filter.reroute(to, size)),
                explain(Some(Change::Routes), &|filter| {
                    filter.reroute(from, size);
                    filter.reroute(to, size);
                }),
                explain(Some(Change::Time(0.0)), &|filter| filter.jump(size)),
                explain(Some(Change::Time(0.0)), &|filter| {
                    filter.jump(size);
                    filter.rerate(size / RATE_TIME);
                }),
                explain(None, &|filter| filter.load(from, size)),
                explain(None, &|filter| filter.load(to, size)),
                explain(None, &|filter| {
                    filter.load(from, size);
                    filter.load(to, size);
                }),
            ],
            legs: 0,
            before: filter,
        }
    }

    /// The most probable explanation, once there is one.
    fn update(&mut self, leg: Leg) -> Option<(Option<Change>, Filter)> {
        self.legs += 1;
        for (_, filter, score) in &mut self.explanations {
            *score += filter.update(leg).ln_likelihood;
        }
        let mut order = self.explanations.each_ref();
        order.sort_by(|a, b| b.2.total_cmp(&a.2));
        let (best, second) = (order[0], order[1]);
        let clear = self.legs >= SHORTEST_TRIAL && best.2 - second.2 > CLEAR;
        if !clear && self.legs < LONGEST_TRIAL {
            return None;
        }
        let [calm, doubted, ..] = &self.explanations;
        let calm = if doubted.2 > calm.2 { doubted } else { calm };
        let unchanged = *order.iter().find(|(change, ..)| change.is_none())?;
        if best.0.is_none() || best.2 - unchanged.2 < MARGIN {
            let loaded = unchanged.2 - calm.2 >= LOAD_MARGIN;
            return Some((None, if loaded { unchanged.1 } else { calm.1 }));
        }
        let change = match best.0 {
            Some(Change::Time(_)) => {
                let phase = |filter: &Filter| filter.ahead(leg.at).phase().0;
                Some(Change::Time(phase(&best.1) - phase(&self.before)))
            }
            other => other,
        };
        Some((change, best.1))
    }
}
