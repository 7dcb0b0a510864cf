//! Closed forms of derivatives against automatic differentiation of the log-kernels.

use super::super::likelihood::Likelihood;
use super::super::{
    Family, Sample, cauchy, generalized_extreme_value, generalized_pareto, gumbel, laplace,
    log_logistic, logistic, skew_normal, student_t, weibull,
};
use super::maxima::rows;

/// Compares the value, the gradient and the Hessian at parameters, where those of automatic
/// differentiation are finite.
fn compare<F: Family>(family: &F, sample: &Sample, theta: &[f64]) -> usize {
    let likelihood = Likelihood::new(family, sample);
    let all: Vec<usize> = (0..theta.len()).filter(|&i| theta[i].is_finite()).collect();
    let u: Vec<f64> = all.iter().map(|&i| F::PARAMETERS[i].domain.coordinate(theta[i])).collect();
    let own = |i: usize, k: usize| f64::from(i == k);
    let [closed, exact] =
        [true, false].map(|closed| likelihood.exact_along((&u, &all, theta), own, closed));
    if closed.value == f64::NEG_INFINITY && exact.value == closed.value {
        return 1;
    }
    let numbers = |e: &super::super::likelihood::Evaluation| {
        let mut all = vec![e.value];
        all.extend(&e.gradient);
        all.extend(e.hessian.iter().flatten());
        all
    };
    // Near the end of the support 1 + ξ z has lost up to three digits.
    let mut allowed = if matches!(F::NAME, "gev" | "gpd") { 1e-11 } else { 1e-12 };
    if let ("skew-normal", [shape, location, scale]) = (F::NAME, theta)
        && shape.is_finite()
    {
        // Far below, v + φ(v) / Φ(v) ≈ 1 / v cancels in both.
        let far = |x: f64| (shape * (x - location) / scale).powi(2);
        let (low, high) = sample.range();
        allowed += 1e-15 * far(low).max(far(high));
    }
    let scale = sample.total()
        * theta.iter().fold(1.0, |m: f64, t| if t.is_finite() { m.max(t.abs()) } else { m });
    for (found, expected) in numbers(&closed).into_iter().zip(numbers(&exact)) {
        // Sums of terms that are of the size of the parameters, or larger.
        let apart = (found - expected).abs();
        let close = apart <= allowed * expected.abs().max(scale) || found == expected;
        let none = !found.is_finite() && !expected.is_finite();
        assert!(close || none, "{} {theta:?}: {closed:?} {exact:?}", F::NAME);
    }
    1
}

#[test]
fn closed_forms_agree_with_automatic_differentiation() {
    let weights: Vec<f64> = (0..333).map(|i| 0.5 + f64::from(i % 7)).collect();
    let samples = |shape: &str| {
        let data = rows(333, shape, 1.0, 0.0);
        [Sample::weighted(&data, &weights).unwrap(), Sample::new(data).unwrap()]
    };
    let mut compared = 0;
    for shape in ["logistic", "cauchy", "cubed", "exponential"] {
        for sample in samples(shape) {
            for location in [-0.3, 2.0, -40.0] {
                for scale in [0.02, 1.0, 30.0] {
                    let theta = [location, scale];
                    compared += compare(&gumbel::Gumbel, &sample, &theta);
                    compared += compare(&logistic::Logistic, &sample, &theta);
                    compared += compare(&cauchy::Cauchy, &sample, &theta);
                    compared += compare(&laplace::Laplace, &sample, &theta);
                    for a in [0.3, 4.0, 1e3, 1e8, f64::INFINITY] {
                        let theta = [a, location, scale];
                        compared += compare(&student_t::StudentT, &sample, &theta);
                    }
                    for a in [0.0, 1e-9, -1e-3, 0.01, -0.2, 0.3, 2.0] {
                        let theta = [a, location, scale];
                        let gev = generalized_extreme_value::GeneralizedExtremeValue;
                        compared += compare(&gev, &sample, &theta);
                    }
                    for a in [0.0, 0.4, -3.0, 60.0, f64::INFINITY, f64::NEG_INFINITY] {
                        let theta = [a, location, scale];
                        compared += compare(&skew_normal::SkewNormal, &sample, &theta);
                    }
                }
            }
        }
    }
    for shape in ["exponential", "heavy", "skewed", "uniform"] {
        for sample in samples(shape) {
            for shape in [0.05, 1.0, 7.0] {
                for scale in [0.02, 1.0, 30.0] {
                    let theta = [shape, scale];
                    compared += compare(&weibull::Weibull, &sample, &theta);
                    compared += compare(&log_logistic::LogLogistic, &sample, &theta);
                    for shape in [0.0, -1e-9, 1e-3, -0.03, 0.5 * shape] {
                        let theta = [shape, scale];
                        compared +=
                            compare(&generalized_pareto::GeneralizedPareto, &sample, &theta);
                    }
                }
            }
        }
    }
    assert!(compared > 1500, "{compared}");
}
