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
        let mut blocks = sample.blocks(Self::of).into_iter();
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
        let weight = rows.total();
        let mean = rows.iter().map(|(x, w)| w * f(x)).sum::<f64>() / weight;
        // The mean's own rounding error is taken out of both.
        let (mut rest, mut squares) = (0.0, 0.0);
        for (x, w) in rows.iter() {
            let d = f(x) - mean;
            rest += w * d;
            squares += w * d * d;
        }
        rest /= weight;
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
        let weight = rows.total();
        let mean = rows.iter().map(|(x, w)| w * f(x)).sum::<f64>() / weight;
        let mut sum = 0.0;
        for (x, w) in rows.iter() {
            sum += w * deviance(f(x) / mean);
        }
        Self { weight, mean, deviance: sum }
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
