//! Against mpmath: `golden/special.py` prints the values.

use super::{LogTails, bessel, beta, gamma, ln_1p_minus, normal, owen};

/// Relative error, where values below 1e-300 count as 0.
fn close(found: f64, expected: f64, tolerance: f64) -> bool {
    found == expected || (found - expected).abs() <= tolerance * expected.abs().max(1e-300)
}

#[test]
fn special_functions_agree_with_mpmath() {
    let mut worst: Vec<(String, f64)> = Vec::new();
    let mut faults = Vec::new();
    for line in include_str!("golden/special.tsv").lines() {
        let mut fields = line.split('\t');
        let name = fields.next().unwrap();
        let v: Vec<f64> = fields.map(|f| f.parse().unwrap()).collect();
        let pair = |t: LogTails| vec![t.lower, t.upper];
        let (arguments, found) = match name {
            "ln_gamma" => (1, vec![gamma::ln_gamma(v[0])]),
            "digamma" => (1, vec![gamma::digamma(v[0])]),
            "trigamma" => (1, vec![gamma::trigamma(v[0])]),
            "stirling_rest" => (1, vec![gamma::stirling_rest(v[0])]),
            "ln_1p_minus" => (1, vec![ln_1p_minus(v[0])]),
            "scaled_erfc" => (1, vec![normal::scaled_erfc(v[0])]),
            "normal_tails" => (1, pair(normal::normal_tails(v[0]))),
            "gamma_tails" => (2, pair(gamma::gamma_tails(v[0], v[1]))),
            "beta_tails" => (3, pair(beta::beta_tails(v[0], v[1], v[2], 1.0 - v[2]))),
            "ln_beta" => (2, vec![beta::ln_beta(v[0], v[1])]),
            "ln_i0" => (1, vec![bessel::ln_i0(v[0])]),
            "resultant" => (1, vec![bessel::resultant(v[0])]),
            "resultant_rest" => (1, vec![bessel::resultant_rest(v[0])]),
            "resultant_slope" => (1, vec![bessel::resultant_slope(v[0])]),
            "owens_t" => (2, vec![owen::owens_t(v[0], v[1])]),
            _ => panic!("{name}"),
        };
        for (found, &expected) in found.iter().zip(&v[arguments..]) {
            let error = (found - expected).abs() / expected.abs().max(1e-300);
            let error = if *found == expected { 0.0 } else { error };
            match worst.iter_mut().find(|(n, _)| n == name) {
                Some((_, w)) => *w = w.max(error),
                None => worst.push((name.to_owned(), error)),
            }
            // Logarithms of tails near 0 are those tails, and may be as small as they like.
            let tolerance = if name == "ln_gamma" || name == "digamma" { 1e-13 } else { 1e-10 };
            if !close(*found, expected, tolerance) {
                faults.push(format!("{line}: {found:e}, relative error {error:e}"));
            }
        }
    }
    for (name, error) in &worst {
        println!("{name}: {error:.1e}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(worst.len(), 15);
}

#[test]
fn the_normal_quantile_inverts_its_tails() {
    for z in [-1e4, -38.0, -8.0, -2.5, -1.0, -1e-3, 0.0, 0.7, 3.0, 12.0, 1e3] {
        let back = normal::normal_quantile(normal::normal_tails(z));
        assert!((back - z).abs() <= 2e-15 * z.abs() + 1e-15, "{z}: {back}");
    }
}
