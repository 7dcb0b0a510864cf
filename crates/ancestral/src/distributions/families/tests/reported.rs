//! What people reported of scipy, fitter, distfit, statsmodels and others, each with the right answer.

use super::super::compare::rank;
use super::super::located::fit_located;
use super::super::special::gamma::digamma;
use super::super::{Error, Fit, FitOptions, Result, Sample, all, by_name};
use super::properties::uniforms;
use std::f64::consts::PI;

fn fit(name: &str, values: &[f64]) -> Result<Fit> {
    by_name(name).unwrap().fit(&Sample::new(values.to_vec())?, &FitOptions::default())
}

/// Rows of a family by a seed.
fn drawn(name: &str, theta: &[f64], rows: usize, seed: u64) -> Vec<f64> {
    let (family, mut uniform) = (by_name(name).unwrap(), uniforms(seed));
    (0..rows).map(|_| family.sample(theta, &mut uniform)).collect()
}

fn log_likelihood(name: &str, theta: &[f64], values: &[f64]) -> f64 {
    let family = by_name(name).unwrap();
    values.iter().map(|x| family.log_density(theta, *x)).sum()
}

fn close(found: f64, expected: f64, relative: f64) {
    let apart = (found - expected).abs();
    assert!(apart <= relative * expected.abs(), "{found} instead of {expected}");
}

/// The values of the Weibull example of scipy 11806.
const STEEP: [f64; 41] = [
    2.03, 8.51, 11.14, 13.79, 16.11, 17.32, 18.15, 18.67, 19.07, 19.43, 19.70, 19.99, 20.19, 20.40,
    20.59, 20.76, 20.93, 21.08, 21.24, 21.37, 21.50, 21.63, 21.75, 21.87, 21.99, 22.09, 22.19,
    22.31, 22.41, 22.50, 22.62, 22.75, 22.87, 22.99, 23.13, 23.28, 23.45, 23.67, 23.91, 24.29,
    26.42,
];

/// The maxima of a year of scipy 19460.
const MAXIMA: [f64; 121] = [
    0.87, 0.87, 1.29, 1.5, 1.7, 0.66, 1.5, 0.5, 1.0, 1.25, 2.3, 1.03, 2.85, 0.68, 1.74, 1.94, 0.63,
    2.04, 1.2, 0.64, 2.05, 0.97, 2.81, 1.02, 2.76, 0.86, 1.36, 1.29, 1.68, 0.72, 1.67, 1.15, 3.26,
    0.93, 0.83, 0.91, 0.92, 2.32, 1.12, 3.21, 1.23, 1.22, 1.29, 2.08, 0.64, 2.83, 2.68, 1.77, 0.69,
    1.69, 0.7, 1.83, 2.25, 1.23, 1.17, 0.94, 1.22, 0.76, 0.69, 0.48, 1.04, 2.49, 1.38, 1.57, 1.79,
    1.59, 1.3, 1.54, 1.07, 1.03, 0.76, 2.35, 2.05, 2.02, 2.36, 1.59, 0.97, 1.63, 1.66, 0.94, 1.45,
    1.26, 1.25, 0.68, 2.96, 0.8, 1.16, 0.82, 0.64, 0.87, 1.33, 1.28, 1.26, 1.19, 1.24, 1.12, 1.45,
    1.03, 1.37, 1.4, 1.35, 1.28, 1.04, 1.31, 0.87, 0.96, 2.55, 1.72, 1.05, 1.15, 1.73, 1.03, 1.53,
    2.41, 1.36, 2.08, 0.92, 0.73, 1.56, 1.94, 0.78,
];

/// scipy 6248: the fit of a beta distribution is less likely than the parameters that were drawn from.
#[test]
fn a_beta_fit_is_at_least_as_likely_as_the_truth() {
    for seed in 0..20 {
        let x = drawn("beta", &[1.0, 2.0], 100, seed);
        let found = fit("beta", &x).unwrap();
        assert!(found.log_likelihood >= log_likelihood("beta", &[1.0, 2.0], &x) - 1e-9, "{seed}");
    }
}

/// scipy 11806, 17481672 on Stack Overflow: a Weibull fit that is far off. With the origin at 0 there is
/// one maximum.
#[test]
fn a_steep_weibull_distribution_has_its_maximum() {
    let found = fit("weibull", &STEEP).unwrap();
    close(found.parameters[0], 6.438_170_67, 1e-7);
    close(found.parameters[1], 21.607_095_91, 1e-7);
    close(found.log_likelihood, -116.754_154_677_57, 1e-11);
}

/// scipy 11806 and 19407: a free location gives a shape of 2·10⁸ at a location of −2·10⁷. The
/// likelihood has no maximum there, it rises to that of a Gumbel distribution of minima.
#[test]
fn a_location_that_runs_away_is_an_error_and_no_number() {
    let weibull = by_name("weibull").unwrap();
    let sample = Sample::new(STEEP.to_vec()).unwrap();
    let found = fit_located(weibull.as_ref(), &sample, &FitOptions::default());
    let said = found.unwrap_err().to_string();
    assert!(said.contains("as the location goes to −∞"), "{said}");
}

/// scipy 20659: a table of frequencies beyond 0.7 gives a shape of 0.9.
#[test]
fn frequencies_beyond_a_location_have_their_weibull_maximum() {
    let counts = [
        1, 1, 1, 2, 5, 20, 17, 18, 37, 66, 112, 151, 215, 352, 525, 750, 1130, 1731, 2649, 4002,
        6083, 9610, 14990, 21362, 26898, 26783, 13482,
    ];
    let high: Vec<f64> =
        (0..26).map(|i| 13.75 - 0.5 * f64::from(i)).filter(|x| *x != 13.25).collect();
    let values: Vec<f64> = [15.25].into_iter().chain(high).chain([0.75]).map(|x| x - 0.7).collect();
    let counts: Vec<f64> = counts.iter().copied().map(f64::from).collect();
    let values = &values[..counts.len()];
    let table = Sample::weighted(values, &counts).unwrap();
    let found = by_name("weibull").unwrap().fit(&table, &FitOptions::default()).unwrap();
    close(found.parameters[0], 1.184_817_41, 2e-6);
    close(found.parameters[1], 1.643_030_7, 2e-6);
    close(found.log_likelihood, -186_163.090_244, 1e-9);
}

/// scipy 17088: the location of a Rayleigh fit is above the smallest value, which has no density then.
#[test]
fn a_rayleigh_location_is_below_every_value() {
    let rayleigh = by_name("rayleigh").unwrap();
    for seed in 0..8 {
        let x: Vec<f64> = drawn("rayleigh", &[600.0], 500, seed).iter().map(|x| x + 50.0).collect();
        let low = x.iter().copied().fold(f64::INFINITY, f64::min);
        let sample = Sample::new(x).unwrap();
        let found = fit_located(rayleigh.as_ref(), &sample, &FitOptions::default()).unwrap();
        assert!(found.location < low && found.fit.log_likelihood.is_finite());
        let moved = sample.map(|x| x - 50.0);
        let truth = rayleigh.log_likelihood(&moved)(&[600.0]);
        assert!(found.fit.log_likelihood >= truth, "{seed}");
    }
}

/// scipy 13071: what a Rayleigh fit of fifty thicknesses is.
#[test]
fn fifty_thicknesses_have_their_rayleigh_maximum() {
    let x = [
        0.035, 0.038, 0.054, 0.049, 0.052, 0.035, 0.035, 0.05, 0.042, 0.034, 0.052, 0.035, 0.034,
        0.037, 0.052, 0.035, 0.041, 0.035, 0.039, 0.04, 0.04, 0.043, 0.043, 0.035, 0.037, 0.034,
        0.036, 0.037, 0.035, 0.032, 0.034, 0.038, 0.031, 0.05, 0.042, 0.034, 0.036, 0.037, 0.055,
        0.034, 0.036, 0.037, 0.035, 0.055, 0.044, 0.04, 0.031, 0.035, 0.038, 0.054,
    ];
    let sample = Sample::new(x.to_vec()).unwrap();
    let rayleigh = by_name("rayleigh").unwrap();
    let found = fit_located(rayleigh.as_ref(), &sample, &FitOptions::default()).unwrap();
    close(found.location, 0.028_724_186, 1e-5);
    close(found.fit.log_likelihood, 184.093_032_17, 1e-9);
}

/// scipy 18176: a logistic fit has a negative scale.
#[test]
fn a_logistic_scale_is_positive() {
    for (seed, offset) in [(1, 0.0), (2, -7e3), (3, 1e9), (4, -0.3)] {
        let x: Vec<f64> =
            drawn("logistic", &[0.0, 2.0], 60, seed).iter().map(|x| x + offset).collect();
        let found = fit("logistic", &x).unwrap();
        assert!(found.parameters[1] > 1.0 && found.parameters[1] < 4.0, "{found:?}");
    }
}

/// scipy 19332: where rows are more skewed than a skew-normal distribution can be, a fit ends at the
/// normal distribution instead of the global maximum.
#[test]
fn a_skew_normal_fit_of_very_skewed_rows_is_the_global_maximum() {
    for sign in [1.0, -1.0] {
        let x: Vec<f64> =
            drawn("exponential", &[1.0], 300, 5).iter().map(|x| sign * x * x).collect();
        let found = fit("skew-normal", &x).unwrap();
        let normal = fit("normal", &x).unwrap();
        assert!(found.log_likelihood > normal.log_likelihood + 50.0, "{found:?}");
        assert!(found.converged && found.parameters[0] * sign > 3.0, "{found:?}");
    }
}

/// scipy 14777 and 18386: the t distribution with very many degrees of freedom is not the normal one.
#[test]
fn a_t_distribution_of_many_degrees_is_normal() {
    let (t, normal) = (by_name("student-t").unwrap(), by_name("normal").unwrap());
    let expected = (normal.log_density(&[3.0, 1.0], 2.0), normal.survival(&[3.0, 1.0], 2.0));
    for df in [1e10, 1e17, 1e30, f64::INFINITY] {
        close(t.log_density(&[df, 3.0, 1.0], 2.0), expected.0, 1e-9);
        close(t.survival(&[df, 3.0, 1.0], 2.0), expected.1, 1e-9);
    }
}

/// distfit 23: normal rows give 3,518,324 degrees of freedom.
#[test]
fn rows_with_light_tails_name_the_normal_distribution() {
    let x = drawn("uniform", &[-2.0, 2.0], 500, 1);
    let found = fit("student-t", &x).unwrap();
    assert_eq!(found.boundary.as_ref().map(|b| b.family), Some("normal"));
    assert!(found.estimates[0].stderr.is_none() && found.parameters[0] == f64::INFINITY);
}

/// scipy 10300 and 12289, fitter 39: missing values end in an error without a message, or in "not fitted".
#[test]
fn missing_values_are_counted() {
    for name in ["skew-normal", "normal", "gamma", "poisson"] {
        let found = fit(name, &[1.0, 2.0, f64::NAN]);
        assert_eq!(found, Err(Error::NotANumber { rows: 1 }), "{name}");
    }
    assert_eq!(fit("skew-normal", &[1.0, f64::NEG_INFINITY]), Err(Error::Infinite { rows: 1 }));
}

/// scipy 6967, 9166 and 10212: gamma fits end in NaN or far away, in particular for shapes below 1.
#[test]
fn gamma_fits_of_small_shapes_solve_the_likelihood_equation() {
    for (seed, shape) in [0.02, 0.1, 0.2, 0.3, 0.5, 0.8].into_iter().enumerate() {
        let x = drawn("gamma", &[shape, 1.0], 1000, seed as u64);
        let positive: Vec<f64> = x.into_iter().filter(|x| *x > 0.0).collect();
        let found = fit("gamma", &positive).unwrap();
        let n = positive.len() as f64;
        let mean = positive.iter().sum::<f64>() / n;
        let logs = positive.iter().map(|x| x.ln()).sum::<f64>() / n;
        let k = found.parameters[0];
        // ln k − ψ(k) = ln of the mean − mean of ln x.
        let apart = (k.ln() - digamma(k)) - (mean.ln() - logs);
        assert!(apart.abs() < 1e-10 * (mean.ln() - logs), "{shape}: {apart:e}");
        close(k * found.parameters[1], mean, 1e-12);
    }
    let zeros = fit("gamma", &[0.0, 0.0, 1.0, 2.0]).unwrap_err();
    assert!(matches!(zeros, Error::EdgeOfSupport { rows: 2, .. }), "{zeros}");
}

/// scipy 18775, distfit 16: fits of values about 10⁻³ or 10⁻⁵ do not suit them.
#[test]
fn fits_follow_the_unit_down_to_tiny_values() {
    for (name, theta) in
        [("gamma", [3.0, 1.0]), ("log-normal", [0.0, 0.2]), ("inverse-gaussian", [1.0, 2.0])]
    {
        let x = drawn(name, &theta, 400, 3);
        let plain = fit(name, &x).unwrap();
        for power in [-10, -17, -60, 40] {
            let unit = 2f64.powi(power);
            let small = fit(name, &x.iter().map(|x| x * unit).collect::<Vec<_>>()).unwrap();
            let nats = plain.log_likelihood - 400.0 * unit.ln();
            assert!((small.log_likelihood - nats).abs() < 1e-8, "{name} {power}");
            for (a, b) in small.estimates.iter().zip(&plain.estimates) {
                let ratio = a.stderr.unwrap() / b.stderr.unwrap();
                assert!((ratio - 1.0).abs() < 1e-9 || (ratio / unit - 1.0).abs() < 1e-9, "{name}");
            }
        }
    }
}

/// scipy 12545 and 7443: a Pareto distribution of infinite mean is fitted with warnings, by a general
/// search. Its maximum has a closed form.
#[test]
fn a_pareto_distribution_without_a_mean_has_its_closed_form() {
    let x = drawn("pareto", &[0.7, 3.0], 100, 2);
    let found = fit("pareto", &x).unwrap();
    let low = x.iter().copied().fold(f64::INFINITY, f64::min);
    let logs: f64 = x.iter().map(|x| (x / low).ln()).sum();
    close(found.parameters[0], 100.0 / logs, 1e-12);
    assert_eq!(found.parameters[1], low);
    // Rows that hardly differ keep their digits.
    let near: Vec<f64> = (1..40).map(|i| 1e9 + f64::from(i) * 2f64.powi(-10)).collect();
    let logs: f64 = near.iter().map(|x| ((x - near[0]) / near[0]).ln_1p()).sum();
    close(fit("pareto", &near).unwrap().parameters[0], 39.0 / logs, 1e-12);
}

/// distfit 17: rows of a Pareto distribution are said to be of a beta distribution.
#[test]
fn rows_of_a_pareto_distribution_are_ranked_as_such() {
    let x = drawn("pareto", &[0.752_69, 1.718_32], 18_168, 4);
    let ranking = rank(&Sample::new(x).unwrap(), &FitOptions::default().without_intervals());
    assert_eq!(ranking.densities[0].family, "pareto");
    assert!(ranking.refused.iter().any(|r| r.family == "beta" && r.reason.contains("outside")));
}

/// scipy 3276 and 10446, pyextremes 115: the sign of the shape of a generalized extreme value
/// distribution. It is positive for heavy tails, as in the books.
#[test]
fn the_shape_of_extreme_values_is_positive_for_heavy_tails() {
    let found = fit("gev", &MAXIMA).unwrap();
    close(found.parameters[0], 0.114_834_332_7, 1e-6);
    close(found.parameters[1], 1.102_487_452_1, 1e-7);
    close(found.parameters[2], 0.437_637_476_2, 1e-6);
    close(found.log_likelihood, -99.321_736_551_856, 1e-11);
    let light = drawn("gev", &[-0.3, 2.0, 0.01], 2000, 6);
    assert!(fit("gev", &light).unwrap().parameters[0] < -0.2);
}

/// scipy 17576 and 18190: a von Mises fit goes wrong where the location is far from the start, and
/// where the rows lie around ±π.
#[test]
fn angles_around_the_end_of_the_circle_have_their_mean_direction() {
    for (location, shape) in [(PI, 4.0), (-3.1, 0.7), (3.0, 300.0), (1.0, 0.2)] {
        let x = drawn("von-mises", &[location, shape], 500, 8);
        let found = fit("von-mises", &x).unwrap();
        let (s, c) = x.iter().fold((0.0, 0.0), |(s, c), x| (s + x.sin(), c + x.cos()));
        let apart = (found.parameters[0] - s.atan2(c)).rem_euclid(2.0 * PI);
        assert!(apart.min(2.0 * PI - apart) < 1e-9, "{location}: {found:?}");
        assert!(found.parameters[0] > -PI && found.parameters[0] <= PI);
        assert!((found.parameters[1] / shape - 1.0).abs() < 0.6, "{found:?}");
    }
}

/// scipy 18323 and 20102: angles that hardly differ have a concentration beyond 10¹⁴.
#[test]
fn angles_that_hardly_differ_have_a_concentration() {
    let x: Vec<f64> = (0..60).map(|i| -1.3278 + 5e-8 * (f64::from(i) * 0.7).sin()).collect();
    let found = fit("von-mises", &x).unwrap();
    // As of a normal distribution: one by the variance.
    let normal = fit("normal", &x).unwrap();
    close(found.parameters[1], normal.parameters[1].powi(-2), 1e-5);
    assert!(found.converged && found.estimates[1].stderr.is_some());
}

/// statsmodels 3002, 3337 and 3572: a negative binomial model of counts up to thousands has no standard
/// errors, or does not converge where a Poisson model does.
#[test]
fn very_different_counts_have_a_negative_binomial_fit_with_errors() {
    for (size, mean) in [(0.05, 500.0), (0.8, 800.0), (30.0, 3e4), (0.3, 2.0)] {
        let x = drawn("negative-binomial", &[size, mean], 110, 9);
        let found = fit("negative-binomial", &x).unwrap();
        assert!(found.converged && found.boundary.is_none(), "{found:?}");
        for estimate in &found.estimates {
            assert!(estimate.stderr.is_some_and(|e| e.is_finite() && e > 0.0), "{estimate:?}");
        }
        assert!(found.log_likelihood > fit("poisson", &x).unwrap().log_likelihood);
    }
}

/// statsmodels 9156 and 7606, 608609 on Cross Validated: zero-inflated models do not converge.
#[test]
fn zero_inflated_counts_converge_with_and_without_additional_zeros() {
    let mut x = drawn("poisson", &[5.0], 100, 10);
    x.iter_mut().step_by(2).for_each(|x| *x = 0.0);
    let found = fit("zero-inflated-poisson", &x).unwrap();
    assert!(found.converged && found.boundary.is_none(), "{found:?}");
    assert!((found.parameters[0] - 0.5).abs() < 0.05 && found.estimates[0].stderr.is_some());
    // No zeros at all: fewer than a Poisson distribution has.
    let none = drawn("poisson", &[5.0], 100, 11).iter().map(|x| x.max(1.0)).collect::<Vec<_>>();
    let found = fit("zero-inflated-poisson", &none).unwrap();
    assert_eq!(
        found.boundary.as_ref().map(|b| (b.parameter, b.family)),
        Some(("inflation", "poisson"))
    );
}

/// fitter 76, distfit 4 and 5, scipy 11948: counts are fitted by densities alone.
#[test]
fn counts_are_ranked_by_masses() {
    let x = drawn("negative-binomial", &[3.0, 4.5], 800, 12);
    let ranking = rank(&Sample::new(x).unwrap(), &FitOptions::default().without_intervals());
    assert_eq!(ranking.masses[0].family, "negative-binomial");
    assert!(ranking.densities.iter().all(|fit| !by_name(fit.family).unwrap().is_discrete()));
}

/// SurPyval 257: a log-normal fit fails where the mean of the logarithms is below 0.
#[test]
fn a_log_normal_distribution_below_one_is_fitted() {
    let x = drawn("log-normal", &[-0.5, 0.5], 500, 13);
    let found = fit("log-normal", &x).unwrap();
    let mean = x.iter().map(|x| x.ln()).sum::<f64>() / 500.0;
    close(found.parameters[0], mean, 1e-11);
    assert!(found.parameters[0] < -0.4);
}

/// SurPyval 321: three equal rows end in an error of a list index, or in infinite parameters.
#[test]
fn three_equal_rows_are_a_constant_column() {
    for name in ["weibull", "gamma", "log-normal"] {
        let found = fit(name, &[10.0; 3]).unwrap_err();
        let said = found.to_string();
        assert!(said.starts_with("all 3 rows are 10: the likelihood of "), "{said}");
    }
    let said = fit("beta", &[0.1; 3]).unwrap_err().to_string();
    assert!(said.starts_with("all 3 rows are 0.1"), "{said}");
}

/// ngboost 312: a log-normal fit of rows with some zeros ends in infinities.
#[test]
fn zeros_of_a_log_normal_fit_are_counted() {
    let mut x = drawn("log-normal", &[0.0, 1.0], 100, 14);
    x[3] = 0.0;
    x[70] = 0.0;
    assert_eq!(
        fit("log-normal", &x).unwrap_err().to_string(),
        "2 rows are 0, on the edge of the open support of log-normal, (0, ∞)"
    );
}

/// 12358736 on Stack Overflow: log-normal rows about e¹⁰ give a location of −216.
#[test]
fn large_log_normal_rows_keep_their_parameters() {
    let x = drawn("log-normal", &[10.0, 0.1], 100_000, 15);
    let found = fit("log-normal", &x).unwrap();
    assert!((found.parameters[0] - 10.0).abs() < 4.0 * found.estimates[0].stderr.unwrap());
    assert!((found.parameters[1] - 0.1).abs() < 4.0 * found.estimates[1].stderr.unwrap());
}

/// distfit 45: a solver stops at a value of 10³⁰⁷ on times of two kinds. Every family ends with a fit or
/// with a reason.
#[test]
fn times_of_two_kinds_end_no_fit_without_a_word() {
    let slow = drawn("normal", &[145.0, 6.0], 60, 16);
    let quick = drawn("gumbel", &[55.0, 1.0], 90, 17);
    let x: Vec<f64> = quick.into_iter().chain(slow).chain([183.203_797]).collect();
    let sample = Sample::new(x).unwrap();
    for family in all() {
        match family.fit(&sample, &FitOptions::default()) {
            Ok(found) => assert!(found.log_likelihood.is_finite() && found.converged, "{found:?}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

/// scipy 20094: a generalized Pareto fit ends at the edge where the likelihood has no bound.
#[test]
fn a_generalized_pareto_shape_below_minus_one_is_no_maximum() {
    let x: Vec<f64> = (1..=40).map(|i| 1.0 - (1.0 - f64::from(i) / 40.5).powi(4)).collect();
    match fit("gpd", &x) {
        Ok(found) => assert!(found.parameters[0] > -1.0 && found.converged, "{found:?}"),
        Err(error) => assert!(matches!(error, Error::NoMaximum { .. }), "{error}"),
    }
}
