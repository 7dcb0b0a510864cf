//! Student's t distribution with a location and a scale:
//! f(x) = Γ((ν + 1) / 2) / (Γ(ν / 2) √(νπ) σ) (1 + z² / ν)^(−(ν + 1) / 2), z = (x − μ) / σ.
//!
//! Its likelihood has no bound: with a small ν it grows as the scale goes to 0 at any row. The best
//! interior maximum is given, as all programs mean it. For tails no heavier than normal ones the
//! likelihood rises to the normal distribution, ν = ∞.

use super::error::{Error, Result};
use super::expansion::Expansion;
use super::family::{Domain, Family, Fixed, Limit, Parameter, Support, Unit, refuse_constant};
use super::passes::{Terms, sums};
use super::rows::Rows;
use super::sample::Sample;
use super::scalar::Scalar;
use super::special::beta::{beta_tails, ln_beta};
use super::special::normal::{normal_quantile, normal_tails};
use super::special::{HALF_LN_TAU, LN_2, LogTails, vectorized};

/// Student's t distribution; parameters degrees of freedom, location and scale.
#[derive(Debug, Clone, Copy, Default)]
pub struct StudentT;

/// ψ = −½ (ν + 1) ln(1 + w), w = z² / ν, with its derivatives in z, then those in ν.
struct Row {
    df: f64,
    location: f64,
    scale: f64,
}

impl Terms<10> for Row {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 10], f64) {
        let z = (x - self.location) / self.scale;
        let w = z * z / self.df;
        let (log, q) = vectorized::ln_1p(w);
        let (half, ratio) = (0.5 * (self.df + 1.0), 1.0 + 1.0 / self.df);
        let slope = -ratio * z * q;
        let curve = -ratio * q * q * (1.0 - w);
        // −∂/∂ν ln(1 + w).
        let inner = w * q / self.df;
        let by_df = half * inner - 0.5 * log;
        let by_df_twice = inner * (1.0 - 0.5 * ratio * (2.0 + w) * q);
        let mixed = z * q * (1.0 / self.df - ratio * w * q) / self.df;
        let terms = [-half * log, slope, z * slope, curve, z * curve, z * z * curve];
        let [a, b, c, d, e, f] = terms;
        ([a, b, c, d, e, f, by_df, by_df_twice, mixed, z * mixed], 1.0)
    }
}

/// ψ = −½ z², the limit, by Σ z and Σ z².
pub(super) struct Square {
    pub(super) location: f64,
    pub(super) scale: f64,
}

impl Terms<2> for Square {
    #[inline(always)]
    fn of(&self, x: f64) -> ([f64; 2], f64) {
        let z = (x - self.location) / self.scale;
        ([z, z * z], 1.0)
    }
}

impl Square {
    /// In a location at place 1 and a scale at place 2.
    pub(super) fn expansion(self, rows: Rows<'_>) -> Option<Expansion> {
        let ([first, second], _) = sums(rows, &self);
        let sums = [-0.5 * second, -first, -second, -rows.total(), -first, -second];
        Expansion::of_location_and_scale(1, self.scale, sums).finite()
    }
}

impl Family for StudentT {
    const NAME: &'static str = "student-t";
    const ABOUT: &'static str = "Student's t distribution with location and scale";
    const PARAMETERS: &'static [Parameter] = &[
        Parameter::new("df", "degrees of freedom ν", Domain::Positive, Unit::Shape),
        Parameter::new("location", "location μ", Domain::Real, Unit::Location),
        Parameter::new("scale", "scale σ", Domain::Positive, Unit::Scale),
    ];
    const LIMITS: &'static [Limit] =
        &[Limit { parameter: 0, value: f64::INFINITY, family: "normal" }];
    const NOTE: Option<&'static str> = Some(
        "the likelihood has no bound as the scale goes to 0 at a row; this is its best interior maximum",
    );
    type Summary = ();

    fn support(&self, _: &[f64]) -> Support {
        Support::REALS
    }

    fn log_normalizer<T: Scalar>(&self, theta: &[T]) -> T {
        let df = theta[0];
        if df.value().is_infinite() {
            return -theta[2].ln() - HALF_LN_TAU;
        }
        // ln Γ(a + ½) − ln Γ(a) − ½ ln a with a = ν / 2.
        let a = df * 0.5;
        let ratio = a * (df.recip()).ln_1p() - 0.5 + (a + 0.5).stirling_rest() - a.stirling_rest();
        ratio - theta[2].ln() - HALF_LN_TAU
    }

    fn log_kernel<T: Scalar>(&self, theta: &[T], x: f64) -> T {
        let square = ((theta[1] - x) / theta[2]).square();
        let df = theta[0];
        if df.value().is_infinite() {
            return square * -0.5;
        }
        if square.value().is_infinite() {
            let far = if theta[1].value() < x { -theta[1] + x } else { theta[1] - x };
            return -(df + 1.0) * ((far / theta[2]).ln() - df.ln() * 0.5);
        }
        (df + 1.0) * (square / df).ln_1p() * -0.5
    }

    fn expansion(&self, theta: &[f64], rows: Rows<'_>) -> Option<Expansion> {
        let (df, location, scale) = (theta[0], theta[1], theta[2]);
        if df.is_infinite() {
            return Square { location, scale }.expansion(rows);
        }
        let ([a, b, c, d, e, f, shape @ ..], _) = sums(rows, &Row { df, location, scale });
        let around = Expansion::of_location_and_scale(1, scale, [a, b, c, d, e, f]);
        around.with_shape(scale, shape).finite()
    }

    fn log_tails(&self, theta: &[f64], x: f64) -> LogTails {
        standard_tails(theta[0], (x - theta[1]) / theta[2])
    }

    fn quantile(&self, theta: &[f64], p: LogTails) -> f64 {
        if theta[0].is_infinite() {
            return theta[1] + theta[2] * normal_quantile(p);
        }
        // The lower half, where nothing cancels.
        let z = if p.lower == p.upper {
            0.0
        } else if p.lower < p.upper {
            super::family::quantile_by_search(self, &[theta[0], 0.0, 1.0], p)
        } else {
            -super::family::quantile_by_search(self, &[theta[0], 0.0, 1.0], p.swapped())
        };
        theta[1] + theta[2] * z
    }

    /// With ν fixed, m equal rows among n outweigh the others if m ≥ ν (n − m).
    fn check(&self, sample: &Sample, fixed: &Fixed) -> Result<()> {
        if fixed[2].is_some() {
            return Ok(());
        }
        refuse_constant(Self::NAME, sample)?;
        if let Some(df) = fixed[0] {
            refuse_ties(Self::NAME, sample, df, fixed[1])?;
        }
        Ok(())
    }

    fn starts(&self, sample: &Sample, (): &(), fixed: &Fixed) -> Vec<Vec<f64>> {
        let few = sample.thinned(500);
        let quartiles = few.quantiles([0.25, 0.5, 0.75]);
        let middle = fixed[1].unwrap_or(quartiles[1]);
        let spread = 0.5 * (quartiles[2] - quartiles[0]);
        let spread = if spread > 0.0 { spread } else { few.mean(|x| (x - middle).abs()) };
        if fixed[0].is_some() {
            return vec![vec![1.0, middle, spread]];
        }
        [(0.7, 0.7), (2.0, 1.1), (8.0, 1.4), (60.0, 1.5)]
            .iter()
            .map(|(df, wide)| vec![*df, middle, spread * wide])
            .collect()
    }
}

/// The tails for location 0 and scale 1: ½ I(ν / (ν + z²); ν / 2, ½) beyond |z|.
fn standard_tails(df: f64, z: f64) -> LogTails {
    if df.is_infinite() || z.is_nan() {
        return normal_tails(z);
    }
    let square = z * z;
    let (x, y) =
        if square.is_finite() { (df / (df + square), square / (df + square)) } else { (0.0, 1.0) };
    let small = if x > 1e-290 {
        beta_tails(0.5 * df, 0.5, x, y).lower - LN_2
    } else {
        // The first term of the series, where x itself is below the smallest number.
        let log_x = df.ln() - 2.0 * z.abs().ln();
        0.5 * df * log_x - df.ln() - ln_beta(0.5 * df, 0.5)
    };
    if z < 0.0 { LogTails::from_lower(small) } else { LogTails::from_upper(small) }
}

/// Refuses ties that outweigh the other rows, for tails of index ν.
pub(super) fn refuse_ties(
    family: &'static str,
    sample: &Sample,
    df: f64,
    location: Option<f64>,
) -> Result<()> {
    if !sample.intervals().is_empty() {
        return Ok(());
    }
    let most = match location {
        Some(value) => Some((value, sample.weight_at(value))),
        None => sample.tied(df / (1.0 + df)),
    };
    let of = sample.total();
    // One row alone needs n − 1 others with ν (n − 1) > 1.
    if let Some((value, weight)) = most.filter(|(_, weight)| *weight >= df * (of - weight)) {
        let (rows, of) = (weight.round() as usize, of.round() as usize);
        return Err(Error::Ties { family, value, rows, of });
    }
    Ok(())
}
