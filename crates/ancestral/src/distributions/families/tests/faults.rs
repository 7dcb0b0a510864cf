//! Samples without a maximum, limits, degenerate and hard samples: what peers answer with wrong
//! minima, infinities or silence.

use super::super::{Error, Fit, FitOptions, Result, Sample, all, by_name};
use super::maxima::rows;

fn fit(name: &str, values: &[f64]) -> Result<Fit> {
    by_name(name).unwrap().fit(&Sample::new(values.to_vec())?, &FitOptions::default())
}

#[test]
fn a_constant_column_has_no_maximum_with_a_scale() {
    let two = "normal gamma weibull log-normal student-t inverse-gamma logistic log-logistic cauchy \
               gumbel laplace inverse-gaussian pareto uniform";
    for name in two.split_whitespace() {
        let found = fit(name, &[3.0; 7]);
        let expected =
            Error::Constant { family: by_name(name).unwrap().name(), value: 3.0, rows: 7 };
        assert_eq!(found, Err(expected), "{name}");
    }
    assert_eq!(
        fit("beta", &[0.25; 4]),
        Err(Error::Constant { family: "beta", value: 0.25, rows: 4 })
    );
    // One row is a constant column, too; a family of one parameter fits it.
    assert!(matches!(fit("normal", &[3.0]), Err(Error::Constant { rows: 1, .. })));
    for (name, expected) in
        [("exponential", 3.0), ("poisson", 3.0), ("rayleigh", 3.0 / 2f64.sqrt())]
    {
        assert!((fit(name, &[3.0]).unwrap().parameters[0] - expected).abs() < 1e-12, "{name}");
    }
    assert!(fit("exponential", &[0.0, 0.0]).is_err());
    assert!(fit("half-normal", &[0.0, 0.0]).is_err());
}

#[test]
fn rows_at_fault_are_counted() {
    assert_eq!(fit("normal", &[]), Err(Error::NoRows));
    assert_eq!(fit("normal", &[1.0, f64::NAN, f64::NAN]), Err(Error::NotANumber { rows: 2 }));
    assert_eq!(fit("normal", &[1.0, f64::INFINITY]), Err(Error::Infinite { rows: 1 }));
    let outside = fit("gamma", &[1.0, -2.0, -3.0]).unwrap_err();
    assert_eq!(outside.to_string(), "2 rows are outside the support of gamma, (0, ∞)");
    let edge = fit("beta", &[0.0, 0.5, 1.0, 0.0]).unwrap_err();
    assert!(matches!(edge, Error::EdgeOfSupport { edge: 0.0, rows: 2, .. }), "{edge}");
    assert!(matches!(fit("beta", &[0.5, 1.0]), Err(Error::EdgeOfSupport { edge: 1.0, .. })));
    for name in ["gamma", "weibull", "log-normal", "inverse-gaussian", "rayleigh", "pareto"] {
        let found = fit(name, &[0.0, 1.0, 2.0]);
        assert!(matches!(found, Err(Error::EdgeOfSupport { rows: 1, .. })), "{name}: {found:?}");
    }
    assert!(matches!(fit("poisson", &[1.5, 2.0]), Err(Error::NotWhole { rows: 1, .. })));
    assert!(matches!(fit("poisson", &[-1.0, 2.0]), Err(Error::OutsideSupport { rows: 1, .. })));
    assert!(matches!(fit("geometric", &[0.0, 2.0]), Err(Error::OutsideSupport { rows: 1, .. })));
    // Zeros belong to the support of the exponential distribution.
    let mean = fit("exponential", &[0.0, 2.0]).unwrap().parameters[0];
    assert!((mean - 1.0).abs() < 1e-14);
}

#[test]
fn parameters_that_no_number_holds_are_refused() {
    // The scale of an inverse gamma distribution is its shape times the harmonic mean.
    let large: Vec<f64> = (0..50).map(|i| 1.7e308 - 1e305 * f64::from(i)).collect();
    let found = fit("inverse-gamma", &large).unwrap_err();
    assert_eq!(found, Error::Unheld { family: "inverse-gamma", parameter: "scale", small: false });
    assert!(found.to_string().contains("write the column in a larger unit"), "{found}");
    for name in
        ["normal", "gamma", "weibull", "log-normal", "inverse-gaussian", "pareto", "logistic"]
    {
        if let Ok(fit) = fit(name, &large) {
            assert!(fit.parameters.iter().all(|x| x.is_finite()), "{name}: {fit:?}");
        }
    }
}

#[test]
fn rows_of_nothing_but_zeros_and_ones_leave_excesses_without_a_maximum() {
    let mut values = vec![0.0; 40];
    values.push(1.0);
    let said = fit("gpd", &values).unwrap_err().to_string();
    assert!(said.contains("some rows are 0"), "{said}");
    // A few zeros are rows like others.
    let mut few = rows(60, "exponential", 1.0, 0.0);
    few.push(0.0);
    assert!(fit("gpd", &few).unwrap().converged);
}

#[test]
fn ties_of_half_of_the_rows_leave_cauchy_without_a_maximum() {
    let tied = fit("cauchy", &[5.0, 5.0, 1.0, 9.0]);
    assert_eq!(tied, Err(Error::Ties { family: "cauchy", value: 5.0, rows: 2, of: 4 }));
    assert!(fit("cauchy", &[5.0, 5.0, 1.0, 9.0, 7.0]).unwrap().converged);
}

#[test]
fn a_likelihood_that_rises_to_another_family_gives_that_limit() {
    // Counts with less spread than a Poisson distribution.
    let counts = [2.0, 3.0, 3.0, 4.0, 3.0, 2.0, 3.0];
    let negative = fit("negative-binomial", &counts).unwrap();
    let poisson = fit("poisson", &counts).unwrap();
    assert_eq!(negative.boundary.clone().unwrap().family, "poisson");
    assert_eq!(negative.parameters[0], f64::INFINITY);
    assert!(negative.estimates[0].stderr.is_none() && negative.converged);
    assert!((negative.log_likelihood - poisson.log_likelihood).abs() < 1e-12);
    assert!((negative.aic - poisson.aic - 2.0).abs() < 1e-12);
    assert!(
        (negative.estimates[1].stderr.unwrap() - poisson.estimates[0].stderr.unwrap()).abs() < 1e-9
    );
    let inflated = fit("zero-inflated-poisson", &counts).unwrap();
    assert_eq!(inflated.boundary.unwrap().parameter, "inflation");
    assert_eq!(inflated.parameters[0], 0.0);
    // Tails lighter than normal ones.
    let light = rows(50, "uniform", 1.0, 0.0);
    let (t, normal) = (fit("student-t", &light).unwrap(), fit("normal", &light).unwrap());
    assert_eq!(t.boundary.unwrap().family, "normal");
    assert!((t.log_likelihood - normal.log_likelihood).abs() < 1e-10);
    // Zeros alone, ones alone.
    for name in ["poisson", "negative-binomial", "zero-inflated-poisson"] {
        let zeros = fit(name, &[0.0; 5]).unwrap();
        assert_eq!(zeros.boundary.unwrap().family, "point mass at 0", "{name}");
        assert_eq!(zeros.log_likelihood, 0.0);
    }
    let ones = fit("geometric", &[1.0; 5]).unwrap();
    assert_eq!((ones.parameters[0], ones.log_likelihood), (1.0, 0.0));
}

#[test]
fn a_large_offset_or_a_tiny_unit_costs_nothing() {
    // scipy's general optimizer stops at the start on such columns.
    for name in ["student-t", "cauchy", "logistic", "gumbel", "laplace", "normal"] {
        let k = by_name(name).unwrap().parameters().len();
        let plain = rows(64, "cauchy", 1.0, 0.0);
        // Multiples of 2⁻¹⁰ stay exact at an offset of 2³⁰.
        let plain: Vec<f64> = plain.iter().map(|x| (x * 1024.0).round() / 1024.0).collect();
        let far: Vec<f64> = plain.iter().map(|x| x + 1_073_741_824.0).collect();
        let tiny: Vec<f64> = plain.iter().map(|x| x * 2f64.powi(-60)).collect();
        let [plain, far, tiny] = [plain, far, tiny].map(|x| fit(name, &x).unwrap());
        let scale = plain.parameters[k - 1];
        assert!((far.parameters[k - 1] / scale - 1.0).abs() < 1e-9, "{name}");
        assert!((tiny.parameters[k - 1] * 2f64.powi(60) / scale - 1.0).abs() < 1e-12, "{name}");
        let moved = far.parameters[k - 2] - 1_073_741_824.0;
        assert!((moved - plain.parameters[k - 2]).abs() < 1e-6 * scale, "{name}");
        let nats = 64.0 * 2f64.powi(60).ln();
        assert!((tiny.log_likelihood - plain.log_likelihood - nats).abs() < 1e-8, "{name}");
    }
}

#[test]
fn two_distant_clusters_and_one_outlier_do_not_stop_a_fit() {
    let mut clusters = rows(40, "uniform", 1.0, 0.0);
    clusters.extend(rows(40, "uniform", 1.0, 1e6));
    let mut outlier = rows(40, "logistic", 1.0, 0.0);
    outlier.push(1e12);
    for family in all().iter().filter(|f| {
        let unknown = vec![f64::NAN; f.parameters().len()];
        f.support(&unknown).lower == f64::NEG_INFINITY
    }) {
        for data in [&clusters, &outlier] {
            // With a shape, the maximum of two clusters is at the end of a bent ridge.
            if family.name() == "gev" && data == &clusters {
                continue;
            }
            let found = fit(family.name(), data).unwrap();
            assert!(found.converged, "{found:?}");
        }
    }
    // A t distribution sets the outlier aside.
    let t = fit("student-t", &outlier).unwrap();
    assert!(t.parameters[1].abs() < 1.0 && t.parameters[2] < 3.0, "{t:?}");
}

#[test]
fn unknown_or_impossible_parameters_are_named() {
    let sample = Sample::new(vec![1.0, 2.0]).unwrap();
    let family = by_name("gamma").unwrap();
    assert!(family.log_density(&[1.0], 1.0).is_nan() && family.quantile(&[], 0.5).is_nan());
    let wrong = family.fit(&sample, &FitOptions::default().fix("rate", 1.0)).unwrap_err();
    assert_eq!(wrong.to_string(), "gamma has no parameter 'rate'; it has shape, scale");
    assert!(family.fit(&sample, &FitOptions::default().fix("shape", -1.0)).is_err());
    assert!(
        family.check_parameters(&[1.0]).is_err() && family.check_parameters(&[1.0, -2.0]).is_err()
    );
}

/// Ten rows of a beta distribution on which scipy's fit ends outside of its parameters (scipy 22328).
#[test]
fn ten_rows_of_a_beta_distribution_have_their_maximum() {
    let data = [
        0.7122827, 0.04830956, 0.54410219, 0.04173127, 0.54462469, 0.54565197, 0.05497849,
        0.07792652, 0.6817948, 0.19735519,
    ];
    let found = fit("beta", &data).unwrap();
    let (a, b) = (found.parameters[0], found.parameters[1]);
    // The score is 0: ψ(a) − ψ(a + b) is the mean of ln x, and the same for 1 − x.
    let digamma = super::super::special::gamma::digamma;
    let mean = |f: &dyn Fn(f64) -> f64| data.iter().map(|x| f(*x)).sum::<f64>() / 10.0;
    assert!((digamma(a) - digamma(a + b) - mean(&|x| x.ln())).abs() < 1e-12, "{found:?}");
    assert!((digamma(b) - digamma(a + b) - mean(&|x| (1.0 - x).ln())).abs() < 1e-12);
    assert!(found.converged && found.estimates.iter().all(|e| e.interval.is_some()));
}

/// A table of counts instead of 130,000 rows (scipy 20659), whose fit needs no expansion.
#[test]
fn a_table_of_frequencies_is_fitted_as_its_rows() {
    let counts =
        [13482.0, 26783.0, 26898.0, 21362.0, 14990.0, 9610.0, 6083.0, 4002.0, 2649.0, 1731.0];
    let values: Vec<f64> = (0..10).map(|i| 0.25 + 0.5 * f64::from(i)).collect();
    let table = Sample::weighted(&values, &counts).unwrap();
    let rows = values.iter().zip(counts).flat_map(|(x, n)| vec![*x; n as usize]).collect();
    let weibull = by_name("weibull").unwrap();
    let options = FitOptions::default().without_intervals();
    let [table, rows] =
        [table, Sample::new(rows).unwrap()].map(|s| weibull.fit(&s, &options).unwrap());
    assert_eq!(table.n, rows.n);
    for (a, b) in table.estimates.iter().zip(&rows.estimates) {
        assert!((a.value - b.value).abs() < 1e-7 * a.stderr.unwrap(), "{a:?} {b:?}");
    }
}
