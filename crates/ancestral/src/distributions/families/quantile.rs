//! Quantiles by search, for families without a formula.

use super::family::{Family, Support, log_density};
use super::special::LogTails;

/// The relative rounding error of a logarithm of a tail.
const SLACK: f64 = 1e-12;

/// The quantile, with the ends of the support for probabilities 0 and 1.
pub fn at<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    let support = family.support(theta);
    if p.lower.is_nan() || p.upper.is_nan() {
        f64::NAN
    } else if p.lower == f64::NEG_INFINITY {
        support.lower
    } else if p.upper == f64::NEG_INFINITY {
        support.upper
    } else {
        family.quantile(theta, p)
    }
}

/// The quantile by search, in a coordinate that maps the support onto the real numbers.
pub fn search<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    if F::DISCRETE { whole(family, theta, p) } else { continuous(family, theta, p) }
}

/// A map of the real numbers onto a support.
#[derive(Clone, Copy)]
struct Chart(Support);

impl Chart {
    /// The value and its derivative at a coordinate.
    fn value(self, t: f64) -> (f64, f64) {
        let Support { lower, upper, .. } = self.0;
        match (lower.is_finite(), upper.is_finite()) {
            (true, true) => {
                let (s, c) = (super::scalar::sigmoid(t), super::scalar::sigmoid(-t));
                let x =
                    if t < 0.0 { lower + (upper - lower) * s } else { upper - (upper - lower) * c };
                (x, (upper - lower) * s * c)
            }
            (true, false) => (lower + t.exp(), t.exp()),
            (false, true) => (upper - (-t).exp(), (-t).exp()),
            (false, false) => {
                // Linear near 0, exponential far out, so that heavy tails take few steps.
                (t.sinh(), t.cosh())
            }
        }
    }
}

/// Newton's method on the logarithm of the smaller tail, kept within a bracket.
fn continuous<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    let chart = Chart(family.support(theta));
    let low_tail = p.lower <= p.upper;
    // Increasing in t for both tails.
    let error = |t: f64| {
        let (x, slope) = chart.value(t);
        let tails = family.log_tails(theta, x);
        let log_density = log_density(family, theta, x);
        if low_tail {
            (tails.lower - p.lower, (log_density - tails.lower).exp() * slope)
        } else {
            (p.upper - tails.upper, (log_density - tails.upper).exp() * slope)
        }
    };
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    let (mut t, mut widen) = (0.0, 1.0);
    for _ in 0..300 {
        let (e, slope) = error(t);
        if e == 0.0 {
            break;
        }
        if e > 0.0 {
            high = t
        } else {
            low = t
        }
        let newton = t - e / slope;
        let limit = 4.0 * widen;
        let next = if newton > low && newton < high && (newton - t).abs() <= limit {
            newton
        } else if low == f64::NEG_INFINITY {
            t - limit
        } else if high == f64::INFINITY {
            t + limit
        } else {
            0.5 * (low + high)
        };
        widen = if low.is_finite() && high.is_finite() { widen } else { widen * 2.0 };
        let done = (next - t).abs() <= 4e-16 * t.abs().max(1e-3) && slope.is_finite();
        t = next;
        if done || !t.is_finite() {
            break;
        }
    }
    chart.value(t).0
}

/// The smallest whole number with enough probability up to it, by doubling and halving.
fn whole<F: Family>(family: &F, theta: &[f64], p: LogTails) -> f64 {
    let support = family.support(theta);
    let enough = |k: f64| {
        let tails = family.log_tails(theta, k);
        if p.lower <= p.upper {
            tails.lower >= p.lower - SLACK * p.lower.abs().max(1e-3)
        } else {
            tails.upper <= p.upper + SLACK * p.upper.abs().max(1e-3)
        }
    };
    if enough(support.lower) {
        return support.lower;
    }
    let (mut low, mut step) = (support.lower, 1.0);
    let mut high = low + step;
    while high < support.upper && !enough(high) {
        low = high;
        step *= 2.0;
        high = low + step;
        if high > 1e300 {
            return f64::INFINITY;
        }
    }
    high = high.min(support.upper);
    while high - low > 1.0 {
        let middle = (0.5 * (low + high)).floor();
        if middle <= low || middle >= high {
            break;
        }
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}
