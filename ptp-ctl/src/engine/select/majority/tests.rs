use super::*;

fn spans(around: &[(f64, f64)]) -> Vec<Span> {
    around.iter().map(|&(middle, half_width)| Span::around(middle, half_width)).collect()
}

#[test]
fn two_of_three_outvote_the_third() {
    let spans = spans(&[(0.0, 100.0), (1_000.0, 100.0), (50.0, 100.0)]);
    let agreed = majority(&spans).expect("two agree");
    assert_eq!(agreed, Span { low: -50.0, high: 100.0 });
    assert_eq!(spans.iter().map(|span| span.meets(&agreed)).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn wide_bounds_contradict_nobody() {
    let spans = spans(&[(0.0, 10.0), (1_000.0, 2_000.0), (5.0, 10.0)]);
    let agreed = majority(&spans).expect("all agree");
    assert!(spans.iter().all(|span| span.meets(&agreed)));
}

#[test]
fn one_against_one_is_no_majority() {
    assert_eq!(majority(&spans(&[(0.0, 10.0), (100.0, 10.0)])), None);
    assert!(majority(&spans(&[(0.0, 60.0), (100.0, 60.0)])).is_some());
}

#[test]
fn two_against_two_is_none_either_nor_is_everyone_for_himself() {
    assert_eq!(majority(&spans(&[(0.0, 1.0), (0.5, 1.0), (100.0, 1.0), (100.5, 1.0)])), None);
    assert_eq!(majority(&spans(&[(0.0, 1.0), (10.0, 1.0), (20.0, 1.0)])), None);
    assert_eq!(majority(&[]), None);
}
