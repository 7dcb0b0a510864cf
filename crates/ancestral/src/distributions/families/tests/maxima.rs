//! Maxima on well-behaved and hard data against Newton's method in 50 digits: `golden/maxima.py`.

use super::super::{FitOptions, Sample, by_name};

/// Row i of n, as the script has it.
pub(super) fn rows(n: usize, shape: &str, factor: f64, offset: f64) -> Vec<f64> {
    let g = |u: f64| match shape {
        "uniform" => u,
        "exponential" => -u.ln(),
        "heavy" => (1.0 / u - 1.0) / u,
        "logistic" => (u / (1.0 - u)).ln(),
        "cauchy" => (u - 0.5) / (u * (1.0 - u)),
        "cubed" => (2.0 * u - 1.0).powi(3),
        "skewed" => u * u * u,
        "counts" => (-3.0 * u.ln() + 2.0 * u).floor(),
        "rare" => (0.3 / u).floor(),
        _ => panic!("{shape}"),
    };
    (1..=n).map(|i| factor * g((i as f64 * 0.618_033_988_749_894_9).fract()) + offset).collect()
}

#[test]
fn maxima_and_errors_agree_with_newton_in_fifty_digits() {
    let mut faults = Vec::new();
    for line in include_str!("../golden/maxima.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let v: Vec<f64> = fields[3..].iter().map(|f| f.parse().unwrap()).collect();
        let family = by_name(fields[0]).unwrap();
        let data = rows(fields[1].parse().unwrap(), fields[2], v[0], v[1]);
        let options = FitOptions::default().without_intervals();
        let fit = match family.fit(&Sample::new(data).unwrap(), &options) {
            Ok(fit) => fit,
            Err(e) => {
                faults.push(format!("{line}: {e}"));
                continue;
            }
        };
        let mut worst = (0.0_f64, 0.0_f64);
        for (estimate, pair) in fit.estimates.iter().zip(v[3..].chunks(2)) {
            let allowed = 1e-6 * pair[1] + 1e-8 * pair[0].abs();
            worst.0 = worst.0.max((estimate.value - pair[0]).abs() / allowed);
            let stderr = estimate.stderr.unwrap_or(f64::NAN);
            let apart = (stderr / pair[1] - 1.0).abs();
            worst.1 = if apart.is_nan() { f64::INFINITY } else { worst.1.max(apart) };
        }
        let gap = (fit.log_likelihood - v[2]).abs() / v[2].abs().max(1.0);
        println!(
            "{} {} {}: {:.1e} of the tolerance, errors {:.0e}, log-likelihood {gap:.0e}, {} steps",
            fields[0], fields[2], fields[3], worst.0, worst.1, fit.iterations
        );
        let good = worst.0 <= 1.0 && worst.1 < 1e-5 && gap < 1e-10 && fit.converged;
        if !good || fit.boundary.is_some() {
            faults.push(format!("{line}\n  {fit:?}"));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}
