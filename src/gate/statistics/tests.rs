//! Expected values: `scipy.stats` 1.17.1, `mannwhitneyu(b, a, alternative="greater", method=…)`,
//! `fisher_exact(…, alternative="greater")`, `binomtest(…).proportion_ci(method="wilson")`.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-6 * wanted.abs().max(1e-3), "{found} is not {wanted}");
}

#[test]
fn exact_p_values_of_u_are_those_of_scipy() {
    let shift = mann_whitney(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
    close(shift.p, 0.003_968_253_968_253_968);
    close(shift.delta, 1.0);
    let a = [12.1, 11.8, 12.4, 12.0, 11.9, 12.2];
    let b = [12.3, 12.05, 11.95, 12.5, 12.15, 11.85];
    close(mann_whitney(&a, &b).p, 0.349_567_099_567_099_6);
    close(mann_whitney(&a, &b).delta, 0.166_666_666_666_666_74);
    let uneven = mann_whitney(&[3.0, 1.0, 4.0, 1.5, 9.2], &[2.6, 5.3, 5.8, 9.7, 9.3, 2.3, 8.4]);
    close(uneven.p, 0.101_010_101_010_101_02);
    close(uneven.delta, 0.485_714_285_714_285_77);
}

#[test]
fn approximate_p_values_of_u_are_those_of_scipy() {
    let tied =
        mann_whitney(&[1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0], &[2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 5.0]);
    close(tied.p, 0.043_018_157_197_536_75);
    close(tied.delta, 0.551_020_408_163_265_3);
    let a: Vec<f64> = (0..40).map(f64::from).collect();
    let b: Vec<f64> = a.iter().map(|x| x + 5.5).collect();
    close(mann_whitney(&a, &b).p, 0.024_545_402_354_819);
}

#[test]
fn fisher_s_test_gives_the_values_of_scipy() {
    // The table [[hits b, misses b], [hits a, misses a]].
    close(fisher_more(0, 10, 5, 10), 0.016_253_869_969_040_248);
    close(fisher_more(2, 10, 3, 10), 0.5);
    close(fisher_more(0, 20, 20, 20), 7.254_444_551_924_844e-12);
}

#[test]
fn wilson_s_interval_is_that_of_scipy() {
    for (hits, trials, low, high) in [
        (0, 10, 0.0, 0.277_532_799_862_889_26),
        (3, 10, 0.107_791_267_406_301_02, 0.603_221_852_538_854_6),
        (10, 10, 0.722_467_200_137_110_7, 1.0),
        (7, 200, 0.017_055_542_008_567_2, 0.070_470_611_522_290_74),
    ] {
        let rate = Rate::new(hits, trials);
        close(rate.low, low);
        close(rate.high, high);
    }
}

#[test]
fn holm_s_method_is_stricter_the_more_is_tested() {
    assert_eq!(holm(&[0.008, 0.5], 0.01), [false, false]);
    assert_eq!(holm(&[0.004, 0.5], 0.01), [true, false]);
    assert_eq!(holm(&[0.009, 0.004], 0.01), [true, true]);
    assert!(holm(&[], 0.01).is_empty());
}

#[test]
fn the_median_of_an_even_sample_is_between_its_two_middles() {
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    assert_eq!(median(&[]), None);
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0_i32..40).prop_map(f64::from), 1..12)
}

proptest! {
    #[test]
    fn p_is_a_probability_and_delta_turns_round_with_the_samples(a in sample(), b in sample()) {
        let (there, back) = (mann_whitney(&a, &b), mann_whitney(&b, &a));
        prop_assert!((0.0..=1.0).contains(&there.p), "{there:?}");
        prop_assert!((there.delta + back.delta).abs() < 1e-9);
    }

    #[test]
    fn order_and_scale_do_not_matter(a in sample(), b in sample()) {
        let turned = |s: &[f64]| s.iter().rev().map(|x| x * 8.0 + 3.0).collect::<Vec<_>>();
        prop_assert_eq!(mann_whitney(&a, &b), mann_whitney(&turned(&a), &turned(&b)));
    }

    #[test]
    fn an_interval_holds_its_estimate(hits in 0_u32..50, more in 0_u32..50) {
        prop_assume!(hits + more > 0);
        let rate = Rate::new(hits, hits + more);
        let p = f64::from(hits) / f64::from(hits + more);
        prop_assert!(rate.low <= p + 1e-12 && p <= rate.high + 1e-12);
        prop_assert!(rate.low >= 0.0 && rate.high <= 1.0);
    }

    #[test]
    fn more_hits_are_never_likelier_by_chance(a in 0_u32..9, b in 0_u32..8) {
        prop_assert!(fisher_more(a, 9, b + 1, 9) <= fisher_more(a, 9, b, 9) + 1e-12);
    }
}
