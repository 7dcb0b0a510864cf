//! Sums over the rows that determine the likelihood of a family (sufficient statistics), built block
//! by block and merged in order.

use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
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
        Self::of(Rows { values: &rows.mapped(f), ..rows })
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
        let weight = rows.total();
        let [sum] = rows.sums(|y| [y]);
        let mean = sum / weight;
        // The mean's own rounding error is taken out of both.
        let [rest, squares] = rows.sums(|y| [y - mean, (y - mean) * (y - mean)]);
        let rest = rest / weight;
        Self { weight, mean: mean + rest, squares: squares - weight * rest * rest }
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
        Self::of(Rows { values: &rows.mapped(f), ..rows })
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

/// t − 1, (t − 1)² and ln t for t = x / mean.
struct Relative {
    mean: f64,
}

impl Terms<2> for Relative {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 2], f64) {
        let t = x / self.mean;
        ([t - 1.0, (t - 1.0) * (t - 1.0)], t)
    }
}

impl Summary for Deviance {
    fn of(rows: Rows<'_>) -> Self {
        let weight = rows.total();
        let [sum] = rows.sums(|y| [y]);
        let mean = sum / weight;
        let ([apart, squares], logs) = sums(rows, &Relative { mean });
        // φ(t) = t − 1 − ln t, where the terms do not cancel.
        let apart = apart - logs;
        let deviance = match squares > 1e-2 * weight && apart.is_finite() {
            true => apart,
            false => rows.iter().map(|(y, w)| w * deviance(y / mean)).sum(),
        };
        Self { weight, mean, deviance }
    }
    fn merge(&mut self, later: &Self) {
        self.merge_with(later);
    }
}

/// A factor of its own.
struct Itself;

impl Terms<0> for Itself {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 0], f64) {
        ([], x)
    }
}

/// Σ w ln x.
pub fn log_sum(rows: Rows<'_>) -> f64 {
    let (_, logs) = sums(rows, &Itself);
    if logs.is_nan() { rows.iter().map(|(x, w)| w * x.ln()).sum() } else { logs }
}

/// Σ w x and Σ w x².
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Powers {
    /// Σ w.
    pub weight: f64,
    /// Σ w x.
    pub sum: f64,
    /// Σ w x².
    pub squares: f64,
}

impl Summary for Powers {
    fn of(rows: Rows<'_>) -> Self {
        let [sum, squares] = rows.sums(|x| [x, x * x]);
        Self { weight: rows.total(), sum, squares }
    }
    fn merge(&mut self, later: &Self) {
        self.weight += later.weight;
        self.sum += later.sum;
        self.squares += later.squares;
    }
}
