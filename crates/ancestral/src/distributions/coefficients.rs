//! Tests and intervals of coefficients by their standard errors: Wald's, with the normal distribution or
//! Student's t.

use super::families::Distribution;
use super::families::normal::Normal;
use super::families::student_t::StudentT;
use crate::model::{Coefficient, Estimate};

/// The test of 0 and the interval of each estimate with a standard error; `degrees` are those of Student's
/// t, `None` for a normal statistic.
pub fn coefficients(
    estimates: &[Estimate],
    degrees: Option<f64>,
    confidence: f64,
) -> Vec<Coefficient> {
    let (family, theta): (&dyn Distribution, Vec<f64>) = match degrees {
        Some(degrees) => (&StudentT, vec![degrees, 0.0, 1.0]),
        None => (&Normal, vec![0.0, 1.0]),
    };
    let reach = family.upper_quantile(&theta, (1.0 - confidence) / 2.0);
    let of = |estimate: &Estimate| {
        let stderr = estimate.stderr.filter(|stderr| stderr.is_finite() && *stderr > 0.0)?;
        let statistic = estimate.value / stderr;
        Some(Coefficient {
            name: estimate.name.clone(),
            statistic,
            p_value: (2.0 * family.survival(&theta, statistic.abs())).min(1.0),
            interval: (estimate.value - reach * stderr, estimate.value + reach * stderr),
            odds_ratio: None,
        })
    };
    estimates.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // from scipy import stats
    // print(stats.t.ppf(0.975, 7), 2 * stats.t.sf(2.5, 7), stats.norm.ppf(0.975), 2 * stats.norm.sf(2.5))
    const VALUES: [f64; 4] =
        [2.364624251592784, 0.04099221858575289, 1.959963984540054, 0.012419330651552265];

    #[test]
    fn intervals_have_the_quantiles_of_their_distributions() {
        let given = [Estimate { name: "b".to_owned(), value: 5.0, stderr: Some(2.0) }];
        for (degrees, [reach, p]) in
            [(Some(7.0), [VALUES[0], VALUES[1]]), (None, [VALUES[2], VALUES[3]])]
        {
            let found = coefficients(&given, degrees, 0.95);
            assert_eq!(found[0].statistic, 2.5);
            assert!((found[0].p_value - p).abs() < 1e-9, "{} {p}", found[0].p_value);
            assert!((found[0].interval.1 - 5.0 - 2.0 * reach).abs() < 1e-9);
        }
        let none = Estimate { stderr: None, ..given[0].clone() };
        let exact = Estimate { stderr: Some(0.0), ..given[0].clone() };
        assert!(coefficients(&[none, exact], None, 0.95).is_empty());
    }
}
