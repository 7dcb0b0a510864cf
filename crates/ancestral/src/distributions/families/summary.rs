//! Sums over the rows that determine the likelihood of a family (sufficient statistics), built block
//! by block and merged in order.

use super::sample::{Rows, Sample};
use super::special::deviance;

/// Sums of some rows.
pub trait Summary: Clone + Send + Sync {
    /// Of one block, which has rows.
    fn of(rows: Rows<'_>) -> Self;
    /// Adds the sums of later rows.
    fn merge(&mut self, later: &Self);

    /// Of a whole sample; `None` without exact rows.
    fn of_sample(sample: &Sample) -> Option<Self> {
        let mut blocks = sample.quick_blocks(Self::of).into_iter();
        let mut all = blocks.next()?;
        blocks.for_each(|block| all.merge(&block));
        Some(all)
    }
}

impl Summary for () {
    fn of(_: Rows<'_>) -> Self {}
    fn merge(&mut self, (): &Self) {}
}

impl<A: Summary, B: Summary> Summary for (A, B) {
    fn of(rows: Rows<'_>) -> Self {
        (A::of(rows), B::of(rows))
    }
    fn merge(&mut self, later: &Self) {
        self.0.merge(&later.0);
        self.1.merge(&later.1);
    }
}

/// Weight, mean and squared deviations, merged as Chan, Golub and LeVeque (1983) do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Σ w.
    pub weight: f64,
    /// Σ w x / Σ w.
    pub mean: f64,
    /// Σ w (x − mean)².
    pub squares: f64,
}

impl Moments {
    /// Of a function of the values.
    pub fn by(rows: Rows<'_>, f: impl Fn(f64) -> f64) -> Self {
        let values: Vec<f64> = rows.values.iter().map(|&x| f(x)).collect();
        let rows = Rows { values: &values, ..rows };
        let weight = rows.total();
        let [sum] = rows.sums(|y| [y]);
        let mean = sum / weight;
        // The mean's own rounding error is taken out of both.
        let [rest, squares] = rows.sums(|y| [y - mean, (y - mean) * (y - mean)]);
        let rest = rest / weight;
        Self { weight, mean: mean + rest, squares: squares - weight * rest * rest }
    }

    /// Adds later ones.
    pub fn merge_with(&mut self, later: &Self) {
        let all = self.weight + later.weight;
        let apart = later.mean - self.mean;
        let share = later.weight / all;
        self.squares += later.squares + apart * apart * self.weight * share;
        self.mean += apart * share;
        self.weight = all;
    }

    /// The variance, Σ w (x − mean)² / Σ w.
    pub fn variance(&self) -> f64 {
        self.squares / self.weight
    }
}

impl Summary for Moments {
    fn of(rows: Rows<'_>) -> Self {
        Self::by(rows, |x| x)
    }
    fn merge(&mut self, later: &Self) {
        self.merge_with(later);
    }
}

/// Weight, mean and deviance of positive numbers: the deviance Σ w φ(x / mean) is Σ w ln(mean / x),
/// formed without cancellation even where the numbers hardly differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviance {
    /// Σ w.
    pub weight: f64,
    /// Σ w x / Σ w.
    pub mean: f64,
    /// Σ w φ(x / mean).
    pub deviance: f64,
}

impl Deviance {
    /// Of a positive function of the values.
    pub fn by(rows: Rows<'_>, f: impl Fn(f64) -> f64) -> Self {
        let values: Vec<f64> = rows.values.iter().map(|&x| f(x)).collect();
        let rows = Rows { values: &values, ..rows };
        let weight = rows.total();
        let [sum] = rows.sums(|y| [y]);
        let mean = sum / weight;
        let [apart, squares] = rows.sums(|y| [y / mean - 1.0, (y / mean - 1.0).powi(2)]);
        // φ(t) = t − 1 − ln t, where the terms do not cancel.
        let logarithm = match rows.weights.is_none() && squares > 1e-2 * weight {
            true => log_product(&values, mean),
            false => None,
        };
        let deviance = logarithm
            .map_or_else(|| rows.sums(|y| [deviance(y / mean)])[0], |logarithm| apart - logarithm);
        Self { weight, mean, deviance }
    }

    /// Adds later ones.
    pub fn merge_with(&mut self, later: &Self) {
        let all = self.weight + later.weight;
        let mean = self.mean + (later.mean - self.mean) * (later.weight / all);
        self.deviance += later.deviance
            + self.weight * deviance(self.mean / mean)
            + later.weight * deviance(later.mean / mean);
        self.mean = mean;
        self.weight = all;
    }

    /// Σ w ln x.
    pub fn log_sum(&self) -> f64 {
        self.weight * self.mean.ln() - self.deviance
    }
}

impl Summary for Deviance {
    fn of(rows: Rows<'_>) -> Self {
        Self::by(rows, |x| x)
    }
    fn merge(&mut self, later: &Self) {
        self.merge_with(later);
    }
}

/// Σ ln(x / unit) as the logarithm of a product, whose exponents are summed apart; `None` if a quotient
/// is not a normal number.
fn log_product(values: &[f64], unit: f64) -> Option<f64> {
    const LANES: usize = 8;
    // Products of so many numbers below 2 are below the largest number.
    const MOST: usize = 1000;
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    let (mut sum, mut exponents, mut normal) = (0.0, 0_u64, true);
    for part in values.chunks(MOST * LANES) {
        let (mut products, mut powers) = ([1.0; LANES], [0_u64; LANES]);
        let (mut low, mut high) = ([f64::INFINITY; LANES], [0.0; LANES]);
        let mut add = |values: &[f64]| {
            for (lane, x) in values.iter().enumerate() {
                let t = x / unit;
                low[lane] = if t < low[lane] { t } else { low[lane] };
                high[lane] = if t > high[lane] { t } else { high[lane] };
                let bits = t.to_bits();
                powers[lane] = powers[lane].wrapping_add(bits >> 52);
                products[lane] *= f64::from_bits(bits & MANTISSA | ONE);
            }
        };
        let (chunks, rest) = part.as_chunks::<LANES>();
        chunks.iter().for_each(|chunk| add(chunk));
        add(rest);
        normal &=
            low.iter().all(|t| *t >= f64::MIN_POSITIVE) && high.iter().all(|t| *t <= f64::MAX);
        sum += products.iter().map(|p| p.ln()).sum::<f64>();
        exponents += powers.iter().sum::<u64>();
    }
    let powers = exponents as i64 - 1023 * values.len() as i64;
    normal.then_some(sum + powers as f64 * super::special::LN_2)
}
