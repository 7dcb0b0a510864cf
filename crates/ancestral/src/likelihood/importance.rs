//! Estimates by importance sampling: the Monte Carlo error of log (1/K) Σ wₖ, and whether the weights
//! allow one.

/// Samples in the tail of the weights below which its shape is not estimated.
const LEAST_TAIL: usize = 5;
/// Pseudo-observations of shape 1/2 in the estimate of the shape (Vehtari et al. 2024, appendix C).
const PRIOR: f64 = 10.0;

/// How well the logarithm of a mean of importance weights is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonteCarlo {
    /// The standard error in nats, by the jackknife: its square is, in expectation, not below the variance
    /// with a sample fewer, however heavy the tail of the weights is (Efron and Stein 1981). 0 for exact
    /// values.
    pub stderr: f64,
    /// The effective sample size (Σ w)² / Σ w².
    pub effective_samples: f64,
    /// The shape k̂ of the generalized Pareto distribution of the largest weights (Vehtari et al. 2024,
    /// arXiv:1507.02646). Above 1/2 the weights have no variance and above 0.7 no error can be trusted.
    /// `None` below 21 samples, and −∞ where the largest weights are all equal.
    pub pareto_k: Option<f64>,
}

impl MonteCarlo {
    /// That of a value that is exact.
    pub const EXACT: Self = Self { stderr: 0.0, effective_samples: f64::INFINITY, pareto_k: None };

    /// That of the mean of some weights, given their logarithms; there are at least two.
    pub fn of(log_w: &[f64]) -> Self {
        let k = log_w.len() as f64;
        let (mut top, mut most) = (0, f64::NEG_INFINITY);
        for (i, &log) in log_w.iter().enumerate() {
            if log > most {
                (top, most) = (i, log);
            }
        }
        if most == f64::NEG_INFINITY {
            return Self { stderr: f64::INFINITY, effective_samples: 0.0, pareto_k: None };
        }
        let weights: Vec<f64> = log_w.iter().map(|log| (log - most).exp()).collect();
        // Without the largest, whose weight is 1.
        let rest: f64 = weights.iter().enumerate().filter(|&(i, _)| i != top).map(|(_, w)| w).sum();
        let all = 1.0 + rest;
        // log Σ w without each sample, less log Σ w.
        let without = |i: usize| match i == top {
            true => rest.ln() - rest.ln_1p(),
            false => (-weights[i] / all).ln_1p(),
        };
        let mean = (0..log_w.len()).map(without).sum::<f64>() / k;
        let squares: f64 = (0..log_w.len()).map(|i| (without(i) - mean).powi(2)).sum();
        let second: f64 = weights.iter().map(|w| w * w).sum();
        Self {
            // Where all other weights vanish beside the largest, nothing bounds the error.
            stderr: if rest > 0.0 { ((k - 1.0) / k * squares).sqrt() } else { f64::INFINITY },
            effective_samples: all * all / second,
            pareto_k: pareto_shape(weights),
        }
    }
}

/// The shape of the generalized Pareto distribution of the largest weights, the min(K/5, 3√K) largest of
/// K, as the mean of a posterior over its scale (Zhang and Stephens 2009), drawn to 1/2 where they are few.
fn pareto_shape(mut weights: Vec<f64>) -> Option<f64> {
    let k = weights.len();
    let tail = (k as f64 / 5.0).min(3.0 * (k as f64).sqrt()).ceil() as usize;
    if tail < LEAST_TAIL {
        return None;
    }
    weights.sort_unstable_by(f64::total_cmp);
    let above = k - tail;
    let least = weights[above - 1];
    let excess: Vec<f64> = weights[above..].iter().map(|w| w - least).collect();
    let n = tail as f64;
    let (most, quartile) = (excess[tail - 1], excess[(n / 4.0 + 0.5) as usize - 1]);
    if most <= 0.0 {
        return Some(f64::NEG_INFINITY);
    }
    if quartile <= 0.0 {
        return Some(f64::INFINITY);
    }
    // Candidates of θ, the negative of shape over scale, with the shape that is most likely for each.
    let grid = 30.0 + n.sqrt().floor();
    let candidates: Vec<f64> = (1..=grid as usize)
        .map(|i| 1.0 / most + (1.0 - (grid / (i as f64 - 0.5)).sqrt()) / (3.0 * quartile))
        .collect();
    let shape = |theta: f64| excess.iter().map(|x| (-theta * x).ln_1p()).sum::<f64>() / n;
    let log_likelihood = |theta: f64| {
        let shape = shape(theta);
        n * ((-theta / shape).ln() - shape - 1.0)
    };
    let logs: Vec<f64> = candidates.iter().map(|&theta| log_likelihood(theta)).collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = logs.iter().map(|log| (log - top).exp()).collect();
    let theta = shares.iter().zip(&candidates).map(|(share, theta)| share * theta).sum::<f64>()
        / shares.iter().sum::<f64>();
    Some((n * shape(theta) + PRIOR / 2.0) / (n + PRIOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of a fixed sequence, whose tail is the heavier the larger the spread is.
    fn log_weights(k: usize, spread: f64) -> Vec<f64> {
        let at = |i: usize| (i as f64 * 0.618_033_988_749_894_9 + 0.25).rem_euclid(1.0);
        (0..k).map(|i| -spread * (-at(i)).ln_1p()).collect()
    }

    /// Samples, spread, k̂ of ArviZ, jackknife error, effective sample size: `golden/pareto.py`.
    #[test]
    fn shapes_and_errors_are_those_of_arviz_and_of_leaving_samples_out() {
        for (k, spread, shape, stderr, effective) in [
            (25, 0.5, 0.6152840505448365, 0.2231424658610901, 12.439168968069438),
            (100, 0.3, 0.3630650036444549, 0.03814312823627707, 87.52907924718438),
            (100, 0.9, 0.700252555008009, 0.23223232880361247, 17.82729967586685),
            (1000, 0.7, 0.6715348499081709, 0.09339545232202191, 108.25374402906641),
            (1000, 1.5, 1.3606003456557192, 1.1219099408907143, 2.1520082561180143),
            (5000, 0.1, 0.12413752775508845, 0.0015808265427793532, 4938.311578267937),
        ] {
            // A factor of all weights changes nothing.
            for offset in [0.0, -800.0, 1e4] {
                let logs: Vec<f64> = log_weights(k, spread).iter().map(|w| w + offset).collect();
                let found = MonteCarlo::of(&logs);
                let near = |ours: f64, theirs: f64| (ours / theirs - 1.0).abs() < 1e-8;
                let said = format!("{k} {spread} {offset}: {found:?}");
                assert!(near(found.pareto_k.unwrap(), shape), "{said}");
                assert!(near(found.stderr, stderr), "{said}");
                assert!(near(found.effective_samples, effective), "{said}");
            }
        }
    }

    #[test]
    fn weights_without_a_tail_or_with_one_sample_in_it() {
        let found = MonteCarlo::of(&[-3.0; 100]);
        assert!(found.stderr < 1e-15 && found.effective_samples == 100.0, "{found:?}");
        assert_eq!(found.pareto_k, Some(f64::NEG_INFINITY));
        assert_eq!(MonteCarlo::of(&[0.0, 1.0]).pareto_k, None);
        // Beside 800 nats more, all others vanish.
        let found = MonteCarlo::of(&[-800.0, 0.0, -800.0]);
        assert_eq!((found.stderr, found.effective_samples), (f64::INFINITY, 1.0));
        let found = MonteCarlo::of(&[f64::NEG_INFINITY; 30]);
        assert_eq!((found.stderr, found.effective_samples), (f64::INFINITY, 0.0));
        // Two samples: the half of their difference, as the formula has it.
        let found = MonteCarlo::of(&[0.0, 2.0]);
        assert!((found.stderr - 1.0).abs() < 1e-14, "{found:?}");
    }

    /// Of log-normal weights, whose delta method says about half of it.
    #[test]
    fn errors_of_heavy_tails_are_those_of_repeated_runs() {
        let streams = ancestral_data::Streams::new(5);
        for (k, spread) in [(100, 3.0f64), (1000, 3.0)] {
            let runs = 400;
            let noise = streams.purpose("x", 0).normals(&[k as u64], runs * k);
            let (values, errors): (Vec<f64>, Vec<f64>) = noise
                .chunks_exact(k)
                .map(|noise| {
                    let logs: Vec<f64> = noise.iter().map(|&e| spread * f64::from(e)).collect();
                    (super::super::log_mean_exp(&logs), MonteCarlo::of(&logs).stderr)
                })
                .unzip();
            let mean = values.iter().sum::<f64>() / runs as f64;
            let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / runs as f64;
            let said = errors.iter().map(|e| e * e).sum::<f64>() / runs as f64;
            let ratio = (variance / said).sqrt();
            assert!((0.8..1.2).contains(&ratio), "{k}: {ratio}");
        }
    }
}
