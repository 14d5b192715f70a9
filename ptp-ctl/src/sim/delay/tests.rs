use super::*;
use crate::sim::statistics::rms;

/// Mean and standard deviation of many draws at a load, ns.
fn spread(terms: Vec<Term>, load: f64) -> (f64, f64) {
    let delay = Delay { terms };
    let mut random = fastrand::Rng::with_seed(1);
    let draws: Vec<f64> = (0..200_000)
        .map(|number| delay.draw(&mut Draw { random: &mut random, at: 0.0, load, number }))
        .collect();
    let mean = draws.iter().sum::<f64>() / draws.len() as f64;
    (mean, rms(draws.iter().map(|draw| draw - mean)).expect("there are draws"))
}

fn close((mean, deviation): (f64, f64), expected: (f64, f64)) {
    assert!((mean - expected.0).abs() <= 0.02 * expected.0.max(expected.1), "mean {mean}: {expected:?}");
    assert!(
        (deviation - expected.1).abs() <= 0.02 * expected.1.max(1.0),
        "deviation {deviation}: {expected:?}"
    );
}

fn delay(term: Term) -> Delay {
    Delay { terms: vec![term] }
}

#[test]
fn terms_have_the_moments_of_their_distributions() {
    let third = 1.0 / 3.0_f64.sqrt();
    close(spread(vec![Term::Constant(500.0)], 0.0), (500.0, 0.0));
    close(spread(vec![Term::Exponential(50.0)], 0.0), (50.0, 50.0));
    close(spread(vec![Term::Normal(Normal { mean: 900.0, deviation: 100.0 })], 0.0), (900.0, 100.0));
    close(spread(vec![Term::Uniform(Range { from: 100.0, to: 300.0 })], 0.0), (200.0, 100.0 * third));
    for shape in [0.5_f64, 3.0] {
        let expected = (shape * 20.0, shape.sqrt() * 20.0);
        close(spread(vec![Term::Gamma(Shape { shape, scale: 20.0 })], 0.0), expected);
    }
    // Shape 5: mean 5/4 of the scale, variance 5/(16·3).
    let pareto = Term::Pareto(Shape { shape: 5.0, scale: 100.0 });
    close(spread(vec![pareto], 0.0), (125.0, 100.0 * (5.0_f64 / 48.0).sqrt()));
}

#[test]
fn terms_add_up() {
    let terms = vec![Term::Constant(1_000.0), Term::Exponential(30.0), Term::Exponential(40.0)];
    close(spread(terms, 0.0), (1_070.0, 50.0));
}

#[test]
fn compositions() {
    let share = |weight, ns| Share { weight, delay: delay(Term::Constant(ns)) };
    // 3 of 4 at 100, 1 of 4 at 500.
    let mixture = Term::Mixture(vec![share(3.0, 100.0), share(1.0, 500.0)]);
    close(spread(vec![mixture], 0.0), (200.0, 400.0 * (3.0_f64 / 16.0).sqrt()));
    // The larger of two uniform ones: mean 2/3, variance 1/18.
    let uniform = || delay(Term::Uniform(Range { from: 0.0, to: 300.0 }));
    close(spread(vec![Term::Max(vec![uniform(), uniform()])], 0.0), (200.0, 300.0 / 18.0_f64.sqrt()));
    // The busy part of load30: max(0, U(0,1) - 0.7).
    let clip = |from, to| {
        let delay = delay(Term::Uniform(Range { from: -700.0, to: 300.0 }));
        Term::Clip(Clip { from, to, delay })
    };
    close(spread(vec![clip(0.0, None)], 0.0), (45.0, (9_000.0_f64 - 2_025.0).sqrt()));
    close(spread(vec![clip(250.0, Some(250.0))], 0.0), (250.0, 0.0));
}

#[test]
fn load_makes_it_longer() {
    close(spread(vec![Term::Loaded(delay(Term::Constant(1_000.0)))], 0.4), (400.0, 0.0));
    assert_eq!(spread(vec![Term::Queue(100.0)], 0.0), (0.0, 0.0));
    // M/M/1: waits with probability 0.75, then 400 on average.
    close(spread(vec![Term::Queue(100.0)], 0.75), (300.0, 400.0 * (2.0 * 0.75 - 0.75_f64.powi(2)).sqrt()));
}

#[test]
fn nothing_arrives_before_it_was_sent() {
    let (mean, _) = spread(vec![Term::Normal(Normal { mean: -1e9, deviation: 1.0 })], 0.0);
    assert_eq!(mean, 0.0);
}
