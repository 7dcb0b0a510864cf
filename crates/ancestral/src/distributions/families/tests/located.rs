//! Families with an origin that is estimated.

use std::sync::Arc;

use super::super::located::{Shifted, fit_located, has_origin};
use super::super::{Distribution, FitOptions, Sample, all, by_name};

/// Evenly spread quantiles, moved.
fn spread(family: &str, theta: &[f64], n: usize, location: f64) -> Sample {
    let family = by_name(family).unwrap();
    let at = |i: usize| location + family.quantile(theta, (i as f64 + 0.5) / n as f64);
    Sample::new((0..n).map(at).collect()).unwrap()
}

#[test]
fn an_interior_maximum_is_one_and_follows_the_data() {
    for (name, theta) in [
        ("gamma", vec![3.0, 2.0]),
        ("weibull", vec![2.5, 4.0]),
        ("log-normal", vec![1.0, 0.5]),
        ("inverse-gaussian", vec![3.0, 20.0]),
    ] {
        let family: Arc<dyn Distribution> = by_name(name).unwrap().into();
        let sample = spread(name, &theta, 400, 10.0);
        let found = fit_located(family.as_ref(), &sample, &FitOptions::default()).unwrap();
        let estimate = found.fit.estimates[found.fit.parameters.len()].clone();
        let error = estimate.stderr.unwrap();
        assert_eq!((estimate.name, estimate.value), ("location", found.location));
        assert!((found.location - 10.0).abs() < 2.0 * error, "{name}: {found:?}");
        let (low, high) = estimate.interval.unwrap();
        assert!(low < found.location && found.location < high, "{name}: {found:?}");
        let value = |location: f64| {
            let shifted = Shifted::new(family.clone(), location);
            shifted.fit(&sample, &FitOptions::default()).unwrap().log_likelihood
        };
        let best = value(found.location);
        assert!((best - found.fit.log_likelihood).abs() < 1e-8 * best.abs());
        for share in [-0.5, -1e-3, 1e-3, 0.5] {
            assert!(value(found.location + share * error) < best, "{name} {share}");
        }
        // The curvature is that of the standard error.
        let fall = best - value(found.location + 0.01 * error);
        assert!((fall / 0.5e-4 - 1.0).abs() < 0.05, "{name}: {fall:e}");
        // In other units, from another origin.
        let moved = sample.map(|x| 1e-3 * x + 7.0);
        let other = fit_located(family.as_ref(), &moved, &FitOptions::default()).unwrap();
        let expected = 1e-3 * found.location + 7.0;
        assert!((other.location - expected).abs() < 1e-6 * error, "{name}: {other:?}");
    }
}

#[test]
fn the_exponential_begins_at_the_smallest_row() {
    let sample = spread("exponential", &[2.0], 100, -5.0);
    let family = by_name("exponential").unwrap();
    let found = fit_located(family.as_ref(), &sample, &FitOptions::default()).unwrap();
    assert_eq!(found.location, sample.range().0);
    assert!(found.fit.notes.iter().any(|note| note.contains("edge of the support")));
    assert!((found.fit.parameters[0] - (sample.mean(|x| x) - found.location)).abs() < 1e-12);
}

#[test]
fn rows_without_an_interior_maximum_are_refused() {
    let family = by_name("log-normal").unwrap();
    let fit = |sample: &Sample| fit_located(family.as_ref(), sample, &FitOptions::default());
    // Skewed to the left: the limit is a normal distribution.
    let left = spread("gamma", &[3.0, 2.0], 200, 0.0).map(|x| -x);
    let said = fit(&left).unwrap_err().to_string();
    assert!(said.contains("goes to −∞"), "{said}");
    assert!(fit(&Sample::new(vec![2.0; 5]).unwrap()).is_err());
    // Sharply skewed: above the interior maximum near the smallest row.
    let gamma = by_name("gamma").unwrap();
    let skewed = spread("gamma", &[0.5, 1.0], 200, 3.0);
    let found = fit_located(gamma.as_ref(), &skewed, &FitOptions::default());
    assert!(
        found.as_ref().map_or_else(
            |e| e.to_string().contains("smallest row"),
            |f| f.fit.notes.iter().any(|note| note.contains("interior"))
        ),
        "{found:?}"
    );
}

#[test]
fn a_moved_family_is_the_family_elsewhere() {
    for family in all() {
        if !has_origin(family.as_ref()) {
            continue;
        }
        let name = family.name();
        let theta: Vec<f64> = [2.5, 1.5].into_iter().take(family.parameters().len()).collect();
        let inner: Arc<dyn Distribution> = family.into();
        let moved = Shifted::new(inner.clone(), 4.0);
        let x = inner.quantile(&theta, 0.3);
        assert!((moved.quantile(&theta, 0.3) - x - 4.0).abs() < 1e-12, "{name}");
        assert!((moved.log_density(&theta, x + 4.0) - inner.log_density(&theta, x)).abs() < 1e-9);
        assert!((moved.cdf(&theta, x + 4.0) - 0.3).abs() < 1e-9, "{name}");
        assert_eq!(moved.support(&theta).lower, 4.0 + inner.support(&theta).lower, "{name}");
    }
    for name in ["normal", "poisson", "beta", "von-mises", "uniform"] {
        assert!(!has_origin(by_name(name).unwrap().as_ref()), "{name}");
    }
}
