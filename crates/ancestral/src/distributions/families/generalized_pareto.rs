//! The generalized Pareto distribution of excesses over a threshold: P(X > x) = (1 + ξ x / σ)^(−1/ξ),
//! x ≥ 0; the shape ξ is positive for heavy tails, and 0 is the exponential distribution.
//!
//! Below ξ = −1 the likelihood has no bound, as the generalized extreme value distribution's; nor has it
//! one for a large shape if some rows are 0. The interior maximum is given, if there is one.

use super::error::Result;
use super::expansion::Expansion;
use super::exponential::zeros;
use super::family::{Domain, Family, Fixed, Parameter, Support, Unit, refuse_constant};
use super::generalized_extreme_value::{
    IRREGULAR, LEAST, REGULAR, SMALL, UNBOUNDED, beyond, expanded, reduced, reduced_slopes,
};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::LogTails;
use super::summary::Moments;

/// The generalized Pareto distribution; parameters shape and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct GeneralizedPareto;

/// Below this scale, in standardized units, a fit does not end at a maximum.
const NOTHING: f64 = 1e-100;

/// ψ = −(1 + ξ) y with its derivatives in z = x / σ, then those in ξ.
struct Row<const SERIES: bool> {
    shape: f64,
    scale: f64,
}

impl<const SERIES: bool> Terms<6> for Row<SERIES> {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 6], f64) {
        let z = x * (1.0 / self.scale);
        let [y, q, first, second] = reduced_slopes::<SERIES>(self.shape, z);
        let by_y = -(1.0 + self.shape);
        let zq = z * q;
        let by_shape = by_y * first - y;
        let by_shape_twice = by_y * second - 2.0 * first;
        let mixed = -zq * (1.0 + by_y * zq);
        ([by_y * y, by_y * zq, -self.shape * by_y * zq * zq, by_shape, by_shape_twice, mixed], 1.0)
    }
}

/// q = 1 / (1 + t x) and its square, with 1 + t x.
struct Profile {
    t: f64,
}

impl Terms<2> for Profile {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 2], f64) {
        let u = 1.0 + self.t * x;
        let q = 1.0 / u;
        ([q, q * q], u)
    }
}

impl Profile {
    /// Σ q, Σ q² and Σ ln(1 + t x).
    fn sums(&self, sample: &Sample) -> ([f64; 2], f64) {
        let blocks = sample.quick_blocks(|rows| sums(rows, self));
        blocks.into_iter().fold(([0.0; 2], 0.0), |all, block| {
            ([all.0[0] + block.0[0], all.0[1] + block.0[1]], all.1 + block.1)
        })
    }
}

/// Shape and scale where the likelihood, maximized over the shape for t = ξ / σ, is higher than on both
/// sides, for some t.
fn peaks(few: &Sample, largest: f64) -> Vec<Vec<f64>> {
    /// 1 + t x of the largest row.
    const ENDS: [f64; 11] = [1e-4, 1e-3, 5e-3, 0.02, 0.05, 0.1, 0.18, 0.3, 0.45, 0.65, 0.85];
    /// t of the median.
    const TIMES: [f64; 14] =
        [0.0, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.6, 4.0, 10.0, 40.0, 300.0, 1e4];
    let middle = few.quantile(0.5);
    if middle.is_nan() || middle <= 0.0 {
        return Vec::new();
    }
    let n = few.exact_weight();
    let mean = few.mean(|x| x);
    let at = |t: f64| match t == 0.0 {
        true => (-mean.ln(), vec![0.0, mean]),
        false => {
            let shape = Profile { t }.sums(few).1 / n;
            let scale = shape / t;
            let value = if shape > -1.0 { -scale.ln() - shape } else { f64::NEG_INFINITY };
            (value, vec![shape, scale])
        }
    };
    let below = ENDS.iter().map(|end| (end - 1.0) / largest);
    let found: Vec<_> = below.chain(TIMES.iter().map(|t| t / middle)).map(at).collect();
    let value =
        |i: Option<usize>| i.and_then(|i| found.get(i)).map_or(f64::NEG_INFINITY, |found| found.0);
    let peak = |i: &usize| {
        let own = value(Some(*i));
        own.is_finite() && own >= value(i.checked_sub(1)) && own >= value(Some(i + 1))
    };
    (0..found.len()).filter(peak).map(|i| found[i].1.clone()).collect()
}

impl Family for GeneralizedPareto {
    const NAME: &'static str = "gpd";
    const ABOUT: &'static str = "generalized Pareto distribution of excesses";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("shape", "shape ξ, positive for heavy tails", Domain::Real, Unit::Shape),
        Parameter::new("scale", "scale σ", Domain::Positive, Unit::Scale),
    ];
    const CLOSER: bool = true;
    type Summary = Moments;

    fn support(&self, theta: &[f64]) -> Support {
        if theta[0] < 0.0 && (theta[1] / theta[0]).is_finite() {
            return Support::closed(0.0, -theta[1] / theta[0]);
        }
        Support::NONNEGATIVE
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        -theta[1].ln()
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        match reduced(theta[0], T::constant(0.0), theta[1], x) {
            Ok(y) => -((theta[0] + 1.0) * y),
            Err(_) => T::constant(f64::NEG_INFINITY),
        }
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (shape, scale) = (theta[0], theta[1]);
        let (found, _) = match shape.abs() < SMALL {
            true => sums(rows, &Row::<true> { shape, scale }),
            false => sums(rows, &Row::<false> { shape, scale }),
        };
        let [value, slope, curve, by_shape, by_shape_twice, mixed] = found;
        let mut all = Expansion { value, ..Expansion::default() };
        all.gradient = [by_shape, -slope / scale, 0.0];
        all.hessian[0][0] = by_shape_twice;
        all.hessian[1][0] = -mixed / scale;
        all.hessian[1][1] = (2.0 * slope + curve) / (scale * scale);
        all.finite().or_else(|| beyond(rows, shape, 0.0, scale))
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        if x <= 0.0 {
            return LogTails::NONE;
        }
        LogTails::from_upper(-reduced(theta[0], 0.0, theta[1], x).unwrap_or_else(|end| end))
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        theta[1] * expanded(theta[0], -p.upper)
    }

    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        zeros(Self::NAME, sample, fixed)?;
        if fixed.iter().any(Option::is_some) { Ok(()) } else { refuse_constant(Self::NAME, sample) }
    }

    fn starts(&self, sample: &Sample, s: &Moments, fixed: &Fixed) -> Vec<Vec<f64>> {
        /// Rows up to which starts cost little.
        const MANY: usize = 1000;
        let few = sample.thinned(500);
        let largest = sample.range().1;
        let free = fixed.iter().all(Option::is_none);
        let highest = if free { peaks(&few, largest) } else { Vec::new() };
        if !highest.is_empty() && sample.exact_rows() > MANY {
            return highest;
        }
        let ratio = s.mean * s.mean / s.variance();
        let middle = few.quantile(0.5).max(1e-300);
        let by_moments = (0.5 * (1.0 - ratio), 0.5 * s.mean * (1.0 + ratio));
        let others = [(0.1, s.mean), (0.5, 1.2 * middle), (1.5, middle), (3.0, 0.5 * middle)];
        let lighter = [(-0.2, 1.2 * s.mean), (-0.5, 0.51 * largest), (-0.7, 0.75 * largest)];
        std::iter::once(by_moments)
            .chain(others)
            .chain(lighter)
            .map(|(shape, scale)| (fixed[0].unwrap_or(shape), scale))
            .filter(|(shape, scale)| *scale > 0.0 && 1.0 + shape * largest / scale > 0.0)
            .map(|(shape, scale)| vec![shape, scale])
            .chain(highest)
            .collect()
    }

    /// By the likelihood maximized over the shape for t = ξ / σ, where ξ is the mean of ln(1 + t x)
    /// (Grimshaw 1993).
    fn closer(&self, theta: &[f64], sample: &Sample, fixed: &Fixed) -> Option<Vec<f64>> {
        /// Below this shape 1 + t x has lost digits.
        const SMALLEST: f64 = 1e-3;
        /// Steps, in standard errors, whose square is no more than a maximum's accuracy.
        const SMALL: f64 = 1e-3;
        if fixed.iter().any(Option::is_some) {
            return None;
        }
        let n = sample.exact_weight();
        let least = -1.0 / sample.range().1;
        let mut t = theta[0] / theta[1];
        for _ in 0..12 {
            let ([q, squares], logs) = Profile { t }.sums(sample);
            let shape = logs / n;
            // −ln(ξ / t) − ξ with its derivatives in t.
            let slope = (1.0 - q / n) / t;
            let curve = -(1.0 - 2.0 * q / n + squares / n) / (t * t);
            let first = 1.0 / t - slope / shape - slope;
            let second = (slope / shape).powi(2) - (curve / shape) - 1.0 / (t * t) - curve;
            if !(shape.abs() > SMALLEST && second < 0.0 && first.is_finite()) {
                return None;
            }
            let step = -first / second;
            if step.abs() * (-second * n).sqrt() <= SMALL {
                let t = t + step;
                let shape = shape + (slope + 0.5 * curve * step) * step;
                return Some(vec![shape, shape / t]);
            }
            t = (t + step).max(0.5 * (t + least));
        }
        None
    }

    fn refuses(&self, theta: &[f64], _: f64, converged: bool) -> Option<&'static str> {
        if theta[0] <= LEAST {
            return Some(UNBOUNDED);
        }
        // Of n rows of which m are 0 it is (n − m) / ξ − m times ln σ, and bounded terms.
        (!converged && theta[1] < NOTHING).then_some(
            "some rows are 0: for a large shape it grows without bound as the scale goes to 0, and no \
             interior maximum was found",
        )
    }

    fn note(&self, theta: &[f64]) -> Option<&'static str> {
        (theta[0] < REGULAR).then_some(IRREGULAR)
    }
}
