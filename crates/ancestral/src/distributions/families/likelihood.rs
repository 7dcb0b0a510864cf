//! The log-likelihood of a sample as a function of coordinates, with its derivatives.
//!
//! Exact rows are differentiated in closed form, where a family has one, else by the formulas themselves
//! ([`Jet`]); censored ones, whose tails
//! have no closed derivatives in a shape, by central differences of sixth order.

use super::family::{Domain, Family, log_density};
use super::rows::Rows;
use super::sample::{Interval, Sample};
use super::scalar::{Jet, Scalar};
use super::special::{LN_2, ln_sub_exp};
use super::summary::Summary;
use rayon::prelude::*;

/// A log-likelihood with its derivatives in the free coordinates.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// In nats.
    pub value: f64,
    /// One entry for each free coordinate.
    pub gradient: Vec<f64>,
    /// Its rows.
    pub hessian: Vec<Vec<f64>>,
}

/// A log-likelihood as the search for its maximum sees it; compiled once for all families.
pub trait Objective: Sync {
    /// The domains of all parameters.
    fn domains(&self) -> Vec<Domain>;
    /// The number of rows.
    fn rows(&self) -> f64;
    /// The log-likelihood alone.
    fn value(&self, theta: &[f64]) -> f64;
    /// The log-likelihood with its derivatives in at most three free coordinates; `spread` is the
    /// standard deviation that one row would give each coordinate, the unit of differences.
    fn evaluate(&self, u: &[f64], free: &[usize], fixed: &[f64], spread: &[f64]) -> Evaluation;

    /// Whether parameters on the way to a maximum are where the likelihood has no bound.
    fn unbounded(&self, theta: &[f64]) -> bool {
        let _ = theta;
        false
    }

    /// The parameters at coordinates; those that are not free are taken as they are.
    fn parameters(&self, u: &[f64], free: &[usize], fixed: &[f64]) -> Vec<f64> {
        let (mut theta, domains) = (fixed.to_vec(), self.domains());
        for (&i, &u) in free.iter().zip(u) {
            if let (Some(x), Some(domain)) = (theta.get_mut(i), domains.get(i)) {
                *x = domain.parameter(u);
            }
        }
        theta
    }
}

/// A sample with its family.
pub struct Likelihood<'a, F: Family> {
    /// The family.
    pub family: &'a F,
    /// The rows.
    pub sample: &'a Sample,
    summary: Option<F::Summary>,
    exact: f64,
}

impl<'a, F: Family> Likelihood<'a, F> {
    /// Sums up the rows once, if the family can.
    pub fn new(family: &'a F, sample: &'a Sample) -> Self {
        let exact = sample.exact_weight();
        Self { family, sample, summary: F::Summary::of_sample(sample), exact }
    }

    /// The sums of the exact rows, if there are any.
    pub fn summary(&self) -> Option<&F::Summary> {
        self.summary.as_ref()
    }

    /// The exact rows with their derivatives along N directions of the free coordinates.
    fn exact_jet<const N: usize>(
        &self,
        (u, free, fixed): (&[f64], &[usize], &[f64]),
        direction: impl Fn(usize, usize) -> f64,
        closed: bool,
    ) -> Evaluation {
        let mut theta: Vec<Jet<N>> = fixed.iter().map(|&x| Jet::constant(x)).collect();
        for (place, (&i, &u)) in free.iter().zip(u).enumerate() {
            if let (Some(x), Some(p)) = (theta.get_mut(i), F::PARAMETERS.get(i)) {
                let gradient = std::array::from_fn(|k| direction(place, k));
                *x = p.domain.parameter(Jet { gradient, ..Jet::constant(u) });
            }
        }
        let jet = self.exact_rows(&theta, closed);
        let entry = |i: usize, j: usize| jet.hessian[i.max(j)][i.min(j)];
        let hessian = (0..N).map(|i| (0..N).map(|j| entry(i, j)).collect()).collect();
        Evaluation { value: jet.value, gradient: jet.gradient.to_vec(), hessian }
    }

    /// The exact rows with their derivatives along as many directions as there are free coordinates, one to
    /// three: `direction(i, k)` is coordinate i of direction k. Where derivatives in the parameters would
    /// cancel along them, every row is differentiated by itself, not in `closed` form.
    pub(super) fn exact_along(
        &self,
        (u, free, fixed): (&[f64], &[usize], &[f64]),
        direction: impl Fn(usize, usize) -> f64,
        closed: bool,
    ) -> Evaluation {
        let at = (u, free, fixed);
        if const { F::PARAMETERS.len() >= 3 } && free.len() == 3 {
            self.exact_jet::<3>(at, direction, closed)
        } else if const { F::PARAMETERS.len() >= 2 } && free.len() == 2 {
            self.exact_jet::<2>(at, direction, closed)
        } else if free.len() == 1 {
            self.exact_jet::<1>(at, direction, closed)
        } else {
            let value = self.exact_rows::<f64>(fixed, closed);
            Evaluation { value, gradient: Vec::new(), hessian: Vec::new() }
        }
    }

    /// Σ w (normalizer + kernel) over the exact rows.
    fn exact_rows<T: Scalar>(&self, theta: &[T], closed: bool) -> T {
        let zero = T::constant(0.0);
        let Some(summary) = &self.summary else { return zero };
        let normalizer = self.family.log_normalizer(theta) * self.exact;
        if let Some(kernels) = self.family.summarized(theta, summary) {
            return normalizer + kernels;
        }
        let values: Vec<f64> = theta.iter().map(|x| x.value()).collect();
        let one_by_one = |rows: Rows<'_>| match rows.weights {
            None => rows.values.iter().fold(zero, |sum, &x| sum + self.family.log_kernel(theta, x)),
            Some(_) => {
                rows.iter().fold(zero, |sum, (x, w)| sum + self.family.log_kernel(theta, x) * w)
            }
        };
        let of = |rows: Rows<'_>| {
            let found = if closed { self.family.expansion(&values, rows) } else { None };
            found.map_or_else(|| one_by_one(rows), |found| T::composed(theta, &found))
        };
        let blocks = self.sample.quick_blocks(of);
        blocks.into_iter().fold(normalizer, |sum, block| sum + block)
    }

    /// Σ w ln P over the censored rows.
    fn censored(&self, theta: &[f64]) -> f64 {
        let of = |rows: &[Interval]| -> f64 {
            rows.iter().map(|i| i.weight * log_interval(self.family, theta, *i)).sum()
        };
        const BLOCK: usize = 256;
        let blocks: Vec<f64> = self.sample.intervals().par_chunks(BLOCK).map(of).collect();
        blocks.into_iter().sum()
    }

    /// Adds the censored rows and their derivatives.
    fn add_censored(
        &self,
        all: &mut Evaluation,
        u: &[f64],
        free: &[usize],
        fixed: &[f64],
        spread: &[f64],
    ) {
        let at = |steps: &[(usize, f64)]| {
            let mut moved = u.to_vec();
            for &(i, step) in steps {
                if let Some(x) = moved.get_mut(i) {
                    *x += step;
                }
            }
            self.censored(&self.parameters(&moved, free, fixed))
        };
        let middle = at(&[]);
        all.value += middle;
        let steps: Vec<f64> = spread.iter().map(|s| 0.02 * s.max(1e-9)).collect();
        for (i, &h) in steps.iter().enumerate() {
            let pair = |k: f64| (at(&[(i, k * h)]), at(&[(i, -k * h)]));
            let ((a, b), (c, d), (e, f)) = (pair(1.0), pair(2.0), pair(3.0));
            all.gradient[i] += (45.0 * (a - b) - 9.0 * (c - d) + (e - f)) / (60.0 * h);
            let second = 2.0 * (e + f) - 27.0 * (c + d) + 270.0 * (a + b) - 490.0 * middle;
            all.hessian[i][i] += second / (180.0 * h * h);
            for (j, &g) in steps.iter().enumerate().take(i) {
                let cross = |k: f64| {
                    let four = [(k, k), (k, -k), (-k, k), (-k, -k)]
                        .map(|(a, b)| at(&[(i, a * h), (j, b * g)]));
                    (four[0] - four[1] - four[2] + four[3]) / (4.0 * k * k * h * g)
                };
                let mixed = (4.0 * cross(1.0) - cross(2.0)) / 3.0;
                all.hessian[i][j] += mixed;
                all.hessian[j][i] += mixed;
            }
        }
    }
}

impl<F: Family> Objective for Likelihood<'_, F> {
    fn domains(&self) -> Vec<Domain> {
        F::PARAMETERS.iter().map(|p| p.domain).collect()
    }

    fn rows(&self) -> f64 {
        self.sample.total()
    }

    fn unbounded(&self, theta: &[f64]) -> bool {
        self.family.refuses(theta, self.rows(), true).is_some()
    }

    fn value(&self, theta: &[f64]) -> f64 {
        self.exact_rows::<f64>(theta, true) + self.censored(theta)
    }

    fn evaluate(&self, u: &[f64], free: &[usize], fixed: &[f64], spread: &[f64]) -> Evaluation {
        let own = |i: usize, k: usize| f64::from(i == k);
        let mut all = self.exact_along((u, free, fixed), own, true);
        if !self.sample.intervals().is_empty() {
            self.add_censored(&mut all, u, free, fixed, spread);
        }
        all
    }
}

/// ln P(lower ≤ X ≤ upper) for a mass, ln P(lower < X < upper) for a density.
pub fn log_interval<F: Family>(family: &F, theta: &[f64], interval: Interval) -> f64 {
    let Interval { lower, upper, .. } = interval;
    // The tails at the end below the interval: P(X < lower) for a mass.
    let below = if F::DISCRETE { lower.ceil() - 1.0 } else { lower };
    if upper == f64::INFINITY {
        return family.log_tails(theta, below).upper;
    }
    if lower == f64::NEG_INFINITY {
        return family.log_tails(theta, upper).lower;
    }
    let (a, b) = (family.log_tails(theta, below), family.log_tails(theta, upper));
    let (high, low) = if b.lower < -LN_2 { (b.lower, a.lower) } else { (a.upper, b.upper) };
    if high == f64::NEG_INFINITY {
        return high;
    }
    let narrow = low > high - 1e-4;
    if narrow && !F::DISCRETE {
        // The difference of the tails has lost digits; the density is smooth over the interval.
        let middle = 0.5 * (lower + upper);
        let peak = log_density(family, theta, middle);
        let area = super::special::owen::gauss_legendre(lower, upper, |x| {
            (log_density(family, theta, x) - peak).exp()
        });
        return peak + area.ln();
    }
    ln_sub_exp(high, low)
}
