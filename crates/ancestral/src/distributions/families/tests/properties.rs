//! Properties that every family has.

use super::super::family::Unit;
use super::super::likelihood::log_interval;
use super::super::sample::Interval;
use super::super::special::owen::gauss_legendre;
use super::super::{Distribution, FitOptions, Sample, all, by_name, gof, normal::Normal};
use super::maxima::rows;

/// Parameters in the middle of what occurs.
fn usual(name: &str) -> Vec<f64> {
    match name {
        "student-t" => vec![4.0, 1.0, 2.0],
        "beta" => vec![2.0, 3.0],
        "geometric" => vec![0.3],
        "zero-inflated-poisson" => vec![0.3, 4.0],
        "normal" | "logistic" | "cauchy" | "gumbel" | "laplace" => vec![1.0, 2.0],
        "uniform" => vec![-1.0, 3.0],
        "von-mises" => vec![1.0, 2.5],
        "gev" => vec![0.2, 1.0, 2.0],
        "gpd" => vec![0.2, 3.0],
        "skew-normal" => vec![3.0, 1.0, 2.0],
        _ => vec![2.5, 3.0],
    }
}

fn parameters(family: &dyn Distribution) -> Vec<f64> {
    let mut theta = usual(family.name());
    theta.truncate(family.parameters().len());
    theta
}

#[test]
fn densities_integrate_to_their_tails_and_quantiles_invert_them() {
    for family in all() {
        let (theta, name) = (parameters(family.as_ref()), family.name());
        let ends = [0.02, 0.3, 0.7, 0.95].map(|p| family.quantile(&theta, p));
        for pair in ends.windows(2) {
            let exact = family.cdf(&theta, pair[1]) - family.cdf(&theta, pair[0]);
            let area = if family.is_discrete() {
                let masses = (pair[0] as i64 + 1)..=(pair[1] as i64);
                masses.map(|k| family.log_density(&theta, k as f64).exp()).sum()
            } else {
                let width = (pair[1] - pair[0]) / 8.0;
                let density = |x: f64| family.log_density(&theta, x).exp();
                let part = |i: i32| pair[0] + width * f64::from(i);
                (0..8).map(|i| gauss_legendre(part(i), part(i + 1), density)).sum::<f64>()
            };
            assert!((area - exact).abs() < 1e-9, "{name}: {area} {exact}");
        }
        for p in [1e-12, 0.1, 0.5, 0.9, 1.0 - 1e-9] {
            let x = family.quantile(&theta, p);
            let cdf = family.cdf(&theta, x);
            if family.is_discrete() {
                assert!(cdf >= p - 1e-12 && family.cdf(&theta, x - 1.0) < p, "{name} {p}");
            } else {
                assert!((cdf - p).abs() < 1e-13 + 1e-11 * p, "{name} {p}: {cdf}");
            }
            let upper = family.upper_quantile(&theta, 1.0 - p);
            assert!(
                !(1e-3..=0.999).contains(&p) || (upper - x).abs() <= 1e-9 * (1.0 + x.abs()),
                "{name}"
            );
        }
        let support = family.support(&theta);
        let (from, to) = family.circle().unwrap_or((support.lower, support.upper));
        assert_eq!(family.quantile(&theta, 0.0), from, "{name}");
        assert_eq!(family.quantile(&theta, 1.0), to, "{name}");
        assert!(family.quantile(&theta, 1.5).is_nan());
        for x in [f64::NEG_INFINITY, support.lower - 1.0] {
            assert_eq!(family.log_density(&theta, x), f64::NEG_INFINITY, "{name}");
            assert_eq!(family.cdf(&theta, x), 0.0, "{name}");
        }
        assert_eq!(family.survival(&theta, f64::INFINITY), 0.0, "{name}");
    }
}

#[test]
fn sampled_rows_fit_their_distribution() {
    for family in all() {
        let (theta, name) = (parameters(family.as_ref()), family.name());
        let mut state = 0.1;
        let mut uniform = || {
            state = (state + 0.618_033_988_749_894_9_f64).fract();
            state
        };
        let n = 5000;
        let data: Vec<f64> = (0..n).map(|_| family.sample(&theta, &mut uniform)).collect();
        let sample = Sample::new(data).unwrap();
        let distance = gof::kolmogorov_smirnov(family.as_ref(), &theta, &sample);
        // The uniforms are spread evenly, so that the distance is far below 1.36 / √n.
        assert!(distance < 3e-3, "{name}: {distance}");
        let options = FitOptions::default().without_intervals();
        let fit = family.fit(&sample, &options).unwrap();
        assert!(fit.converged, "{name}");
        for (estimate, truth) in fit.estimates.iter().zip(&theta) {
            let error = estimate.stderr.unwrap_or(0.05);
            assert!((estimate.value - truth).abs() < error, "{name}: {estimate:?}, {truth}");
        }
        // The maximum is not below the truth, nor below its neighbors.
        let value = |theta: &[f64]| sample.sum(|x, w| w * family.log_density(theta, x));
        assert!((value(&fit.parameters) - fit.log_likelihood).abs() < 1e-8 * n as f64, "{name}");
        assert!(fit.log_likelihood >= value(&theta) - 1e-9, "{name}");
    }
}

/// The parameters and errors of rows in another unit and at another origin follow both.
#[test]
fn estimates_follow_the_unit_and_the_origin_of_the_rows() {
    for family in all() {
        let (theta, name) = (parameters(family.as_ref()), family.name());
        let units: Vec<Unit> = family.parameters().iter().map(|p| p.unit).collect();
        let scaled = units.iter().any(|unit| matches!(unit, Unit::Scale | Unit::LogScale));
        let moved = units.contains(&Unit::Location);
        // An angle has a location and no unit.
        if !scaled || family.circle().is_some() || family.is_discrete() {
            continue;
        }
        // Multiples of 2⁻³⁰, so that both rows are exact.
        let grid = |x: f64| (x * 2f64.powi(30)).round() * 2f64.powi(-30);
        let data: Vec<f64> = rows(150, "uniform", 1.0, 0.0)
            .iter()
            .map(|u| grid(family.quantile(&theta, *u)))
            .collect();
        let (unit, origin) = (2f64.powi(9), if moved { 1024.0 } else { 0.0 });
        let other: Vec<f64> = data.iter().map(|x| unit * x + origin).collect();
        let options = FitOptions::default();
        let fit = |x: Vec<f64>| family.fit(&Sample::new(x).unwrap(), &options).unwrap();
        let (a, b) = (fit(data), fit(other));
        let nats = 150.0 * unit.ln();
        assert!((a.log_likelihood - nats - b.log_likelihood).abs() < 1e-8, "{name}");
        for ((x, y), kind) in a.estimates.iter().zip(&b.estimates).zip(&units) {
            let into = |x: f64| match kind {
                Unit::Location => unit * x + origin,
                Unit::Scale => unit * x,
                Unit::LogScale => x + unit.ln(),
                Unit::Shape => x,
            };
            let factor = if matches!(kind, Unit::Location | Unit::Scale) { unit } else { 1.0 };
            let error = x.stderr.map_or(1e-2 * x.value.abs(), |e| e);
            let close = |x: f64, y: f64, by: f64| (x == y) || (x - y).abs() <= by * error * factor;
            assert!(close(into(x.value), y.value, 1e-7), "{name}: {x:?} {y:?}");
            match (x.stderr, y.stderr) {
                (Some(x), Some(y)) => assert!(close(factor * x, y, 1e-5), "{name}: {x} {y}"),
                (x, y) => assert_eq!(x, y, "{name}"),
            }
            match (x.interval, y.interval) {
                (Some(x), Some(y)) => {
                    let ends = close(into(x.0), y.0, 1e-4) && close(into(x.1), y.1, 1e-4);
                    assert!(ends, "{name}: {x:?} {y:?}");
                }
                (x, y) => assert_eq!(x, y, "{name}"),
            }
        }
    }
}

#[test]
fn estimates_do_not_depend_on_the_order_of_rows_and_weights_are_repetitions() {
    for family in all() {
        let (theta, name) = (parameters(family.as_ref()), family.name());
        let data: Vec<f64> =
            rows(200, "uniform", 1.0, 0.0).iter().map(|u| family.quantile(&theta, *u)).collect();
        let mut reversed = data.clone();
        reversed.reverse();
        let options = FitOptions::default().without_intervals();
        let fit = |x: Vec<f64>| family.fit(&Sample::new(x).unwrap(), &options).unwrap();
        let (a, b) = (fit(data.clone()), fit(reversed));
        for (x, y) in a.estimates.iter().zip(&b.estimates) {
            assert!((x.value - y.value).abs() <= 1e-9 * x.stderr.unwrap_or(1.0), "{name}");
        }
        // Weights are repetitions.
        let thrice: Vec<f64> = data.iter().flat_map(|&x| [x; 3]).collect();
        let weighted = Sample::weighted(&data, &[3.0; 200]).unwrap();
        let (a, b) = (fit(thrice), family.fit(&weighted, &options).unwrap());
        assert_eq!(a.n, b.n);
        assert!((a.log_likelihood - b.log_likelihood).abs() < 1e-9 * a.log_likelihood.abs());
        for (x, y) in a.estimates.iter().zip(&b.estimates) {
            assert!((x.value - y.value).abs() <= 1e-8 * x.stderr.unwrap_or(1.0), "{name}");
        }
    }
}

#[test]
fn a_profile_interval_ends_where_the_likelihood_has_fallen_by_its_quantile() {
    // Half of the 0.95 quantile of χ² with one degree of freedom.
    const FALL: f64 = 1.920_729_410_347_062;
    for name in ["gamma", "student-t", "negative-binomial", "weibull", "normal"] {
        let family = by_name(name).unwrap();
        let theta = parameters(family.as_ref());
        let data = rows(60, "uniform", 1.0, 0.0);
        let data: Vec<f64> = data.iter().map(|u| family.quantile(&theta, *u)).collect();
        let sample = Sample::new(data).unwrap();
        let fit = family.fit(&sample, &FitOptions::default()).unwrap();
        for estimate in fit.estimates.iter().take(theta.len()) {
            let (low, high) = estimate.interval.unwrap();
            assert!(low < estimate.value && estimate.value < high, "{name} {estimate:?}");
            for end in [low, high].into_iter().filter(|x| x.is_finite()) {
                let options = FitOptions::default().fix(estimate.name, end).without_intervals();
                let there = family.fit(&sample, &options).unwrap().log_likelihood;
                assert!((fit.log_likelihood - there - FALL).abs() < 1e-5, "{name} {estimate:?}");
            }
        }
    }
}

#[test]
fn parameters_known_in_advance_have_intervals_of_their_own() {
    const FALL: f64 = 1.920_729_410_347_062;
    let sample = |family: &str| {
        let family = by_name(family).unwrap();
        let theta = parameters(family.as_ref());
        let data = rows(61, "uniform", 1.0, 0.0);
        Sample::new(data.iter().map(|u| family.quantile(&theta, *u)).collect()).unwrap()
    };
    let laplace = by_name("laplace").unwrap();
    let data = sample("laplace");
    let fit = laplace.fit(&data, &FitOptions::default()).unwrap();
    let (low, high) = fit.estimates[0].interval.unwrap();
    assert!(low < fit.parameters[0] && fit.parameters[0] < high);
    for end in [low, high] {
        let options = FitOptions::default().fix("location", end).without_intervals();
        let there = laplace.fit(&data, &options).unwrap().log_likelihood;
        assert!((fit.log_likelihood - there - FALL).abs() < 1e-5, "{end}");
    }
    // The exact ones end at the extreme row.
    let uniform =
        by_name("uniform").unwrap().fit(&sample("uniform"), &FitOptions::default()).unwrap();
    let reach =
        (0.05_f64.powf(-1.0 / 60.0) - 1.0) * (uniform.parameters[1] - uniform.parameters[0]);
    let (low, high) = uniform.estimates[0].interval.unwrap();
    assert_eq!(high, uniform.parameters[0]);
    assert!((high - low - reach).abs() < 1e-12);
    assert_eq!(uniform.estimates[1].interval.unwrap().0, uniform.parameters[1]);
    let pareto = by_name("pareto").unwrap().fit(&sample("pareto"), &FitOptions::default()).unwrap();
    assert_eq!(pareto.estimates[1].interval.unwrap().1, pareto.parameters[1]);
}

#[test]
fn the_exponential_with_censored_rows_has_its_closed_form() {
    // Failures at 1, 2, 4; two tests ended at 5: the scale is the time on test by the failures.
    let (lower, upper) = ([1.0, 2.0, 4.0, 5.0, 5.0], [1.0, 2.0, 4.0, f64::INFINITY, f64::INFINITY]);
    let sample = Sample::censored(&lower, &upper, None).unwrap();
    let family = by_name("exponential").unwrap();
    let fit = family.fit(&sample, &FitOptions::default()).unwrap();
    let scale = 17.0 / 3.0;
    assert!((fit.parameters[0] - scale).abs() < 1e-10, "{fit:?}");
    assert!((fit.estimates[0].stderr.unwrap() / (scale / 3f64.sqrt()) - 1.0).abs() < 1e-6);
    assert!((fit.log_likelihood - (-3.0 * scale.ln() - 3.0)).abs() < 1e-12);
    assert_eq!(fit.n, 5.0);
    // The unit of time changes the three exact rows alone.
    let tiny = |x: &f64| x * 2f64.powi(-40);
    let sample =
        Sample::censored(&lower.map(|x| tiny(&x)), &upper.map(|x| tiny(&x)), None).unwrap();
    let small = family.fit(&sample, &FitOptions::default()).unwrap();
    assert!((small.log_likelihood - fit.log_likelihood - 120.0 * 2f64.ln()).abs() < 1e-9);
}

#[test]
fn narrow_intervals_are_densities_and_wide_ones_differences() {
    let theta = [0.0, 1.0];
    for (middle, width) in [(0.3, 1e-9), (-30.0, 1e-7), (5.0, 1e-3), (35.0, 2.0)] {
        let interval = Interval { lower: middle, upper: middle + width, weight: 1.0 };
        let found = log_interval(&Normal, &theta, interval);
        let area =
            gauss_legendre(middle, interval.upper, |x| (0.5 * (middle * middle - x * x)).exp());
        let expected = area.ln() - 0.5 * middle * middle - 0.918_938_533_204_672_8;
        // The ends are rounded.
        assert!((found - expected).abs() < 1e-7 * expected.abs(), "{middle}: {found} {expected}");
    }
}

#[test]
fn the_longest_time_as_only_failure_leaves_weibull_without_a_maximum() {
    let (lower, upper) = ([3.0, 1.0, 2.0], [3.0, f64::INFINITY, f64::INFINITY]);
    let weibull = by_name("weibull").unwrap();
    let fit = |l: &[f64], u: &[f64]| {
        weibull.fit(&Sample::censored(l, u, None).unwrap(), &FitOptions::default())
    };
    assert!(fit(&lower, &upper).is_err());
    // A longer test makes it finite.
    let found = fit(&[3.0, 1.0, 4.0], &upper).unwrap();
    assert!(found.converged && found.parameters[0].is_finite());
}

#[test]
fn intervals_of_one_unit_agree_with_rounded_rows() {
    // Rows known to a whole number, as intervals: close to the fit of the rows themselves.
    let data = rows(300, "logistic", 3.0, 10.0);
    let lower: Vec<f64> = data.iter().map(|x| x.floor()).collect();
    let upper: Vec<f64> = lower.iter().map(|x| x + 1.0).collect();
    for name in ["normal", "logistic", "student-t", "gumbel", "cauchy"] {
        let family = by_name(name).unwrap();
        let options = FitOptions::default().without_intervals();
        let exact = family.fit(&Sample::new(data.clone()).unwrap(), &options).unwrap();
        let rounded = Sample::censored(&lower, &upper, None).unwrap();
        let rounded = family.fit(&rounded, &options).unwrap();
        assert!(rounded.converged, "{rounded:?}");
        let pairs = exact.estimates.iter().zip(&rounded.estimates);
        for (a, b) in pairs.filter(|(a, _)| a.name != "df") {
            assert!((a.value - b.value).abs() < 0.6 * a.stderr.unwrap(), "{name} {a:?} {b:?}");
        }
    }
}

#[test]
fn the_distances_of_a_fit_have_their_textbook_values() {
    // Three rows at the quartiles of a uniform distribution.
    let family = by_name("uniform").unwrap();
    let sample = Sample::new(vec![0.25, 0.5, 0.75]).unwrap();
    let theta = [0.0, 1.0];
    assert!((gof::kolmogorov_smirnov(family.as_ref(), &theta, &sample) - 0.25).abs() < 1e-15);
    // −n − Σ (2 i − 1) (ln F(i) + ln(1 − F(n + 1 − i))) / n.
    let f = [0.25_f64, 0.5, 0.75];
    let sum: f64 = (0..3).map(|i| (2 * i + 1) as f64 * (f[i].ln() + (1.0 - f[2 - i]).ln())).sum();
    let expected = -3.0 - sum / 3.0;
    let found = gof::anderson_darling(family.as_ref(), &theta, &sample);
    assert!((found - expected).abs() < 1e-14, "{found} {expected}");
    // A die of 60 throws with faces 0 to 5 against a Poisson distribution: many classes, one fit.
    let counts = Sample::weighted(&[0.0, 1.0, 2.0, 3.0], &[37.0, 36.0, 19.0, 8.0]).unwrap();
    let poisson = by_name("poisson").unwrap();
    let found = gof::chi_squared(poisson.as_ref(), &[1.0], &counts, 1);
    let expected = [36.787_944_117_1, 36.787_944_117_1, 18.393_972_058_6, 8.030_139_707_1];
    let observed = [37.0, 36.0, 19.0, 8.0];
    let sum: f64 = expected.iter().zip(observed).map(|(e, o)| (o - e) * (o - e) / e).sum();
    assert!((found.statistic - sum).abs() < 1e-8 && found.df == 2.0, "{found:?} {sum}");
}

#[test]
fn fits_have_the_same_bits_for_any_number_of_threads() {
    for family in all() {
        let theta = parameters(family.as_ref());
        let data: Vec<f64> =
            rows(9000, "uniform", 1.0, 0.0).iter().map(|u| family.quantile(&theta, *u)).collect();
        let sample = Sample::new(data).unwrap();
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = FitOptions::default().without_intervals();
            pool.install(|| family.fit(&sample, &options)).unwrap()
        });
        assert_eq!(one, three);
    }
}

/// Uniform numbers by SplitMix64.
pub(super) fn uniforms(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + 0.5 / (1u64 << 53) as f64
    }
}

/// The seed and the parameters are fixed in advance: 26 and those of [`usual`]. `ANCESTRAL_SAMPLES` is
/// the number of data sets (4,000).
#[test]
#[ignore = "takes minutes"]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let samples = std::env::var("ANCESTRAL_SAMPLES").map_or(4000, |n| n.parse().unwrap());
    let chosen = std::env::var("ANCESTRAL_FAMILIES").unwrap_or_default();
    let mut faults = Vec::new();
    for family in
        all().iter().filter(|f| chosen.is_empty() || chosen.split(',').any(|c| c == f.name()))
    {
        let theta = parameters(family.as_ref());
        let mut uniform = uniforms(26);
        let mut held = vec![(0, 0); theta.len()];
        for _ in 0..samples {
            let data: Vec<f64> = (0..200).map(|_| family.sample(&theta, &mut uniform)).collect();
            let fit = family.fit(&Sample::new(data).unwrap(), &FitOptions::default()).unwrap();
            for ((held, estimate), truth) in held.iter_mut().zip(&fit.estimates).zip(&theta) {
                if let Some((low, high)) = estimate.interval {
                    held.0 += usize::from(low <= *truth && *truth <= high);
                    held.1 += 1;
                }
            }
        }
        for ((held, of), parameter) in held.into_iter().zip(family.parameters()) {
            let share = f64::from(held as u32) / f64::from(of as u32);
            println!("{} {}: {share:.4} of {of}", family.name(), parameter.name);
            let allowed = 0.02 + 2.0 * (0.05 * 0.95 / samples as f64).sqrt();
            if of == 0 || (share - 0.95).abs() > allowed {
                faults.push(format!("{} {}: {share}", family.name(), parameter.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
