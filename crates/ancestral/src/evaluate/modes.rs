//! The modes of a two-dimensional mixture that samples cover.

use super::rows::Rows;
use crate::{Error, Result};

/// The largest distance of a high-quality sample from its mode, in standard deviations.
const GOOD: f64 = 3.0;

/// The modes of a mixture that samples cover.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Modes {
    /// Number of modes with at least one high-quality sample.
    pub found: usize,
    /// Number of modes.
    pub modes: usize,
    /// Fraction of high-quality samples.
    pub good: f64,
    /// High-quality samples of each mode, in the order of the centers.
    pub counts: Vec<u64>,
    /// Number of samples.
    pub n: usize,
}

/// The rule of Srivastava et al. 2017 (arXiv:1705.07761, section 4.1) and Lin et al. 2018
/// (arXiv:1712.04086, section 4.1): a sample is of high quality if it is within three standard
/// deviations of the nearest mode's center, and a mode is found if it is the nearest to at least
/// one such sample.
///
/// `samples` are rows of two; `std` is the standard deviation of a mode along each axis, in the units
/// of the data.
///
/// # Errors
/// If the samples have other than two entries, there is no center, or `std` is not above 0.
pub fn modes(samples: Rows<'_>, centers: &[[f64; 2]], std: f64) -> Result<Modes> {
    let wrong = |problem: &str| Error::UnsuitableData {
        model: "the count of modes".to_owned(),
        problem: problem.to_owned(),
    };
    if samples.dim() != 2 {
        return Err(wrong("its samples must have two entries"));
    }
    if centers.is_empty() || !(std > 0.0 && std.is_finite()) {
        return Err(wrong("a mixture has at least one center, and a standard deviation above 0"));
    }
    let mut counts = vec![0; centers.len()];
    for sample in samples.values().chunks_exact(2) {
        let squared = |center: &[f64; 2]| {
            (f64::from(sample[0]) - center[0]).powi(2) + (f64::from(sample[1]) - center[1]).powi(2)
        };
        let far = (0, f64::INFINITY);
        let nearer = |best: (usize, f64), (i, c)| {
            let d = squared(c);
            if d < best.1 { (i, d) } else { best }
        };
        let (mode, squared) = centers.iter().enumerate().fold(far, nearer);
        if squared <= (GOOD * std).powi(2) {
            counts[mode] += 1;
        }
    }
    let n = samples.len();
    Ok(Modes {
        found: counts.iter().filter(|&&c| c > 0).count(),
        modes: centers.len(),
        good: counts.iter().sum::<u64>() as f64 / n as f64,
        counts,
        n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_samples_find_their_modes() {
        let centers = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]];
        let samples = [0.1, 0.1, 0.0, -0.3, 1.9, 0.05, 0.5, 0.5, 0.0, 9.0];
        let rows = Rows::new(&samples, 2, "test rows").unwrap();
        let found = modes(rows, &centers, 0.1).unwrap();
        // (0, −0.3) in f32 lies a hair outside three deviations of 0.1.
        assert_eq!((found.found, found.modes, found.n), (2, 3, 5));
        assert_eq!(found.counts, [1, 1, 0]);
        assert_eq!(found.good, 0.4);
        assert_eq!(modes(rows, &centers, 0.11).unwrap().counts, [2, 1, 0]);
        assert!(modes(rows, &[], 0.1).is_err());
        assert!(modes(rows, &centers, 0.0).is_err());
        assert!(modes(Rows::new(&[1.0; 3], 3, "t").unwrap(), &centers, 0.1).is_err());
    }
}
