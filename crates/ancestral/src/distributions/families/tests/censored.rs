//! Censored rows against scipy's `CensoredData`: `golden/censored.py` prints the values.

use super::super::{FitOptions, Sample, by_name};
use super::maxima::rows;

#[test]
fn censored_rows_are_fitted_as_scipy_does() {
    let mut faults = Vec::new();
    for line in include_str!("../golden/censored.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let v: Vec<f64> = fields[2..].iter().map(|f| f.parse().unwrap()).collect();
        let (mut lower, mut upper) = (Vec::new(), Vec::new());
        for (i, x) in rows(40, fields[1], 1.0, 0.0).into_iter().enumerate() {
            let top = if fields[0] == "beta" { (x + v[0]).min(0.999) } else { x + v[0] };
            let (a, b) = [(x, x), (x, top), (x, f64::INFINITY), (f64::NEG_INFINITY, x)][i % 4];
            lower.push(a);
            upper.push(b);
        }
        let sample = Sample::censored(&lower, &upper, None).unwrap();
        let family = by_name(fields[0]).unwrap();
        let fit = family.fit(&sample, &FitOptions::default().without_intervals()).unwrap();
        let gap = (fit.log_likelihood - v[1]).abs();
        let mut good = gap < 1e-7 && fit.converged;
        for (estimate, expected) in fit.estimates.iter().zip(&v[2..]) {
            good &= (estimate.value - expected).abs() < 1e-4 * estimate.stderr.unwrap();
        }
        if !good {
            faults.push(format!("{line}: {fit:?}"));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn rows_without_a_known_end_on_one_side_have_no_maximum() {
    let (low, open) = ([2.0, 3.0, 4.0], [f64::INFINITY; 3]);
    let above = Sample::censored(&low, &open, None).unwrap();
    let below = Sample::censored(&open.map(|x| -x), &low, None).unwrap();
    for name in ["normal", "gamma", "weibull", "exponential", "gumbel"] {
        let family = by_name(name).unwrap();
        for (sample, side) in [(&above, "upper"), (&below, "lower")] {
            let said = family.fit(sample, &FitOptions::default()).unwrap_err().to_string();
            assert!(said.contains(&format!("no row has a known {side} end")), "{name}: {said}");
        }
    }
    let counts = by_name("poisson").unwrap();
    assert!(counts.fit(&above, &FitOptions::default()).is_err());
    let same = Sample::new(vec![3.0; 40]).unwrap();
    let said = by_name("gpd").unwrap().fit(&same, &FitOptions::default()).unwrap_err().to_string();
    assert!(said.starts_with("all 40 rows are 3"), "{said}");
}
