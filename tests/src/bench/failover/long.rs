//! Thousands of simulated hours of servers that come and go and packets that get lost.

use crate::chaos::{Fault, Outage, Outcome, Plan, play};
use crate::figures::{Bar, Report, Row};
use crate::interrupt;
use anyhow::Result;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Hours of one plan; every other one is without outages, at the most loss, and tells the false switches.
const HOURS: u32 = 10;
/// Most loss.
const LOSS: f64 = 0.3;

#[derive(Default)]
struct Total {
    false_switches: [u32; 2],
    longest_unserved: Duration,
    violations: Vec<String>,
}

/// Plays so many hours, on all CPUs.
pub fn run(report: &mut Report, hours: u32) -> Result<()> {
    let plans = hours.div_ceil(HOURS);
    let next = AtomicU32::new(0);
    let total = Mutex::new(Total::default());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= plans || interrupt::check().is_err() {
                        return;
                    }
                    let Outcome { false_switches, longest_unserved, violations } = play(&plan(number));
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.false_switches[number as usize % 2] += false_switches;
                    total.longest_unserved = total.longest_unserved.max(longest_unserved);
                    total.violations.extend(violations.iter().map(|what| format!("plan {number}: {what}")));
                }
            });
        }
    });
    interrupt::check()?;
    let Total { false_switches, longest_unserved, violations } =
        total.into_inner().unwrap_or_else(PoisonError::into_inner);
    for violation in violations.iter().take(10) {
        println!("violation: {violation}");
    }
    let case = format!("{} simulated hours, 1 Sync/s", plans * HOURS);
    report.rows.push(Row::new(&case, "violations", "", violations.len()).judged(Bar::AtMost(0.0)));
    let longest = (longest_unserved.as_secs_f64() * 10.0).round() / 10.0;
    report.rows.push(Row::new(&case, "longest unserved after detection, nothing being lost", "s", longest));
    let days = |plans: u32| f64::from(plans * HOURS) / 24.0;
    let rate = |count: u32, plans: u32| (1_000.0 * f64::from(count) / days(plans)).round() / 1_000.0;
    let quiet = rate(false_switches[1], plans / 2);
    report.rows.push(Row::new(&case, "false switches at 30 % loss", "1/24 h", quiet).judged(Bar::Below(1.0)));
    let busy = rate(false_switches[0], plans.div_ceil(2));
    report.rows.push(
        Row::new(&case, "false switches, up to 30 % loss, outages", "1/24 h", busy).judged(Bar::Below(1.0)),
    );
    Ok(())
}

fn plan(number: u32) -> Plan {
    let mut random = fastrand::Rng::with_seed(number.into());
    let lasts = Duration::from_secs(3_600) * HOURS;
    let quiet = number % 2 == 1;
    let mut outages = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        let after = Duration::from_millis(random.u64(1_000..1_800_000));
        at += after;
        if quiet || at > lasts {
            break;
        }
        outages.push(Outage {
            after,
            server: random.usize(0..2),
            lasts: Duration::from_millis(random.u64(10..300_000)),
            fault: [Fault::Death, Fault::Exit, Fault::Cut][random.usize(0..3)],
        });
    }
    Plan {
        seed: number.into(),
        loss: if quiet { LOSS } else { LOSS * random.f64() },
        duplication: 0.2 * random.f64(),
        variation: Duration::from_micros(random.u64(0..20_000)),
        outages,
        lasts,
    }
}
