//! A normal distribution for each class, with covariances of their own (`qda`) or one of all (`lda`).

use ancestral_data::{Examples, fill_normal};
use burn::tensor::TensorData;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::Rng;
use toml::Table;

use super::joint::{ClassConditional, LISTED, Labeled, check_labels, listed, unsuitable};
use super::moments::{ClassMoments, class_moments};
use crate::distributions::take;
use crate::model::{
    BLOCK, DataSpec, Estimate, FitContext, FitReport, KindName, NamedTensors, Size, SizeBuilder,
    product,
};
use crate::optim::minimize::dot;
use crate::{Error, Result};

/// The kinds of columns it takes.
pub(super) const KINDS: &[KindName] =
    &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels];
/// The largest number of columns.
const MOST_COLUMNS: usize = 4096;
/// The size of an estimate with its name, in doubles.
const ESTIMATE: usize = 14;
/// The part of a column's variance within classes that the columns before it leave unexplained, below
/// which it counts as a linear combination of them.
const SINGULAR: f64 = 1e-11;

/// How covariances are estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    /// Whether all classes share one covariance.
    pub(super) pooled: bool,
    /// Whether sums are divided by n less the number of means, instead of n.
    pub(super) unbiased: bool,
    /// The part of the covariance that is replaced by `target` times the identity.
    pub(super) share: f64,
    /// What `share` is of: 1, or the mean variance.
    pub(super) of_mean_variance: bool,
    /// The name of the setting of `share`.
    pub(super) setting: &'static str,
}

/// A normal distribution for each class.
pub(super) struct Discriminant {
    name: &'static str,
    settings: Table,
    rule: Rule,
    data: DataSpec,
    /// `[classes]`.
    priors: Vec<f64>,
    /// `[classes, columns]`.
    mean: Vec<f64>,
    /// Lower Cholesky factors L `[groups, columns, columns]`, a group a class or all classes.
    factor: Vec<f64>,
    /// L⁻¹ of each group, and log |L|.
    whitening: Vec<Whitening>,
}

#[derive(Debug, Clone, Default)]
struct Whitening {
    /// Lower, `[columns, columns]`.
    inverse: Vec<f64>,
    log_det: f64,
}

/// The number of covariances.
fn groups(rule: Rule, classes: usize) -> usize {
    if rule.pooled { 1 } else { classes }
}

/// Refuses data without classes or of too many columns.
pub(super) fn check(name: &'static str, data: &DataSpec) -> Result<()> {
    data.check_kinds(name, KINDS)?;
    check_labels(name, data)?;
    let columns = product(data.shape.dims());
    if columns > MOST_COLUMNS {
        return Err(unsuitable(
            name,
            format!(
                "a covariance of {columns} columns is too large, and it takes {MOST_COLUMNS} columns \
                 at most; naive-bayes takes more"
            ),
        ));
    }
    Ok(())
}

/// The size of a model.
pub(super) fn size(name: &'static str, rule: Rule, data: &DataSpec) -> Result<Size> {
    check(name, data)?;
    let (columns, classes) = (product(data.shape.dims()), data.classes);
    let squares = product(&[groups(rule, classes), columns, columns]);
    let mut size = SizeBuilder::default();
    size.buffer(&[classes]);
    size.buffer(&[classes, columns]);
    size.buffer(&[squares]);
    size.kept((product(&[squares, 2]) / BLOCK) as u64 + product(&[columns, 3]) as u64);
    size.fixed(product(&[squares, 5]) as u64);
    size.fixed(product(&[LISTED.min(squares), ESTIMATE]) as u64);
    Ok(size.finish())
}

impl Discriminant {
    /// Standard normal distributions, equally probable.
    pub(super) fn new(
        name: &'static str,
        settings: Table,
        rule: Rule,
        data: &DataSpec,
    ) -> Result<Self> {
        check(name, data)?;
        let (columns, classes) = (data.size(), data.classes);
        let mut one = vec![0.0; columns * columns];
        (0..columns).for_each(|i| one[i * columns + i] = 1.0);
        let mut made = Self {
            name,
            settings,
            rule,
            data: data.clone(),
            priors: vec![1.0 / classes as f64; classes],
            mean: vec![0.0; classes * columns],
            factor: one.repeat(groups(rule, classes)),
            whitening: Vec::new(),
        };
        made.whiten();
        Ok(made)
    }

    fn columns(&self) -> usize {
        self.data.size()
    }

    /// Computes what follows from the factors.
    fn whiten(&mut self) {
        let d = self.columns();
        let of = |factor: &[f64]| Whitening {
            inverse: inverse_of_lower(factor, d),
            log_det: (0..d).map(|i| factor[i * d + i].ln()).sum(),
        };
        self.whitening = self.factor.chunks_exact((d * d).max(1)).map(of).collect();
    }

    fn group(&self, class: usize) -> usize {
        if self.rule.pooled { 0 } else { class }
    }

    /// ‖L⁻¹ (x − μ)‖² of some rows, all about one mean.
    fn distances(&self, rows: &[f64], class: usize) -> Vec<f64> {
        let d = self.columns();
        let mean = &self.mean[class * d..][..d];
        let centered: Vec<f64> = rows
            .chunks_exact(d)
            .flat_map(|row| row.iter().zip(mean).map(|(x, mean)| x - mean))
            .collect();
        let n = rows.len() / d;
        let mut z = vec![0.0; centered.len()];
        let inverse = &self.whitening[self.group(class)].inverse;
        matmul(
            MatMut::from_row_major_slice_mut(&mut z, n, d),
            Accum::Replace,
            MatRef::from_row_major_slice(&centered, n, d),
            MatRef::from_row_major_slice(inverse, d, d).transpose(),
            1.0,
            Par::Seq,
        );
        z.chunks_exact(d).map(|z| z.iter().map(|z| z * z).sum()).collect()
    }

    /// Covariances of all groups from the sums of examples.
    fn covariances(&self, moments: &ClassMoments) -> Result<Vec<f64>> {
        let d = self.columns();
        let Rule { pooled, unbiased, share, of_mean_variance, .. } = self.rule;
        let present = moments.counts.iter().filter(|n| **n > 0.0).count() as f64;
        let mut all = moments.products.clone();
        for (group, covariance) in all.chunks_exact_mut(d * d).enumerate() {
            let n: f64 = if pooled { moments.counts.iter().sum() } else { moments.counts[group] };
            if n == 0.0 {
                (0..d).for_each(|i| covariance[i * d + i] = 1.0);
                continue;
            }
            let means = match (unbiased, pooled) {
                (false, _) => 0.0,
                (true, true) => present,
                (true, false) => 1.0,
            };
            // No deviation is left where there is a mean for each example.
            let divisor = if n > means { n - means } else { n };
            covariance.iter_mut().for_each(|x| *x /= divisor);
            if share > 0.0 {
                let trace: f64 = (0..d).map(|i| covariance[i * d + i]).sum();
                let target = if of_mean_variance { trace / d as f64 } else { 1.0 };
                covariance.iter_mut().for_each(|x| *x *= 1.0 - share);
                (0..d).for_each(|i| covariance[i * d + i] += share * target);
            }
        }
        Ok(all)
    }

    /// The factor of a covariance, or the columns that keep it from having one.
    fn factor_of(&self, covariance: &[f64]) -> std::result::Result<Vec<f64>, Vec<usize>> {
        let d = self.columns();
        let mut factor = vec![0.0; d * d];
        let mut without = Vec::new();
        for i in 0..d {
            let (before, rest) = factor.split_at_mut(i * d);
            let row = &mut rest[..d];
            for j in 0..i {
                let above = &before[j * d..][..=j];
                let inner = dot(&row[..j], &above[..j]);
                row[j] =
                    if above[j] > 0.0 { (covariance[i * d + j] - inner) / above[j] } else { 0.0 };
            }
            let variance = covariance[i * d + i];
            let left = variance - dot(&row[..i], &row[..i]);
            if left > SINGULAR * variance && variance > 0.0 {
                row[i] = left.sqrt();
            } else {
                without.push(i);
            }
        }
        if without.is_empty() { Ok(factor) } else { Err(without) }
    }

    /// The error for a covariance without an inverse.
    fn singular(
        &self,
        group: usize,
        counts: &[f64],
        without: &[usize],
        covariance: &[f64],
    ) -> Error {
        let d = self.columns();
        let Rule { pooled, setting, .. } = self.rule;
        let n: f64 = if pooled { counts.iter().sum() } else { counts[group] };
        let whose = match pooled {
            true => "within classes".to_owned(),
            false => format!("in class {}", self.data.class_name(group)),
        };
        let remedy = match pooled {
            true => format!("set {setting} above 0"),
            false => format!("set {setting} above 0, or fit lda or naive-bayes"),
        };
        let few = if pooled { n <= d as f64 } else { n < d as f64 + 1.0 };
        if few {
            let examples = if n == 1.0 { "1 example".to_owned() } else { format!("{n} examples") };
            return unsuitable(
                self.name,
                format!(
                    "{examples} {whose} do not determine a covariance of {d} columns, which takes \
                     at least {}; {remedy}",
                    d + 1
                ),
            );
        }
        let (constant, dependent): (Vec<usize>, Vec<usize>) =
            without.iter().partition(|&&i| covariance[i * d + i] == 0.0);
        let (what, which) = match constant.is_empty() {
            false => ("is constant", constant),
            true => ("is a linear combination of columns before it", dependent),
        };
        let names = listed(which.into_iter().map(|at| self.data.column_name(at)));
        unsuitable(
            self.name,
            format!(
                "{whose}, column {names} {what}, and a covariance has no inverse; leave it out or {remedy}"
            ),
        )
    }

    /// Estimates of means, variances and covariances, as many as a report lists.
    fn estimates(&self, moments: &ClassMoments, covariances: &[f64]) -> Vec<Estimate> {
        let d = self.columns();
        let all: f64 = moments.counts.iter().sum();
        let mut found = Vec::new();
        let column = |at: usize| self.data.column_name(at);
        for (class, &n) in moments.counts.iter().enumerate().filter(|(_, n)| **n > 0.0) {
            let covariance = &covariances[self.group(class) * d * d..][..d * d];
            let name = self.data.class_name(class);
            for at in 0..d {
                let stderr = (covariance[at * d + at] / n).sqrt();
                let value = self.mean[class * d + at];
                let name = format!("mean[{} | {name}]", column(at));
                found.push(Estimate { name, value, stderr: Some(stderr) });
            }
        }
        for (group, covariance) in covariances.chunks_exact(d * d).enumerate() {
            let (n, of) = match self.rule.pooled {
                true => (all, String::new()),
                false => (moments.counts[group], format!(" | {}", self.data.class_name(group))),
            };
            if n == 0.0 {
                continue;
            }
            for i in 0..d {
                for j in 0..=i {
                    if found.len() >= LISTED {
                        return found;
                    }
                    let value = covariance[i * d + j];
                    let squared = covariance[i * d + i] * covariance[j * d + j] + value * value;
                    let stderr = Some((squared / n).sqrt());
                    let name = match i == j {
                        true => format!("variance[{}{of}]", column(i)),
                        false => format!("covariance[{}, {}{of}]", column(i), column(j)),
                    };
                    found.push(Estimate { name, value, stderr });
                }
            }
        }
        found
    }
}

/// The inverse of a lower triangular matrix.
fn inverse_of_lower(l: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for i in 0..n {
        let (before, rest) = inverse.split_at_mut(i * n);
        let row = &mut rest[..n];
        row[i] = 1.0;
        for (k, above) in before.chunks_exact(n).enumerate() {
            let factor = l[i * n + k];
            row[..=k].iter_mut().zip(above).for_each(|(x, y)| *x -= factor * y);
        }
        let pivot = l[i * n + i];
        row[..=i].iter_mut().for_each(|x| *x /= pivot);
    }
    inverse
}

impl ClassConditional for Discriminant {
    const HAS_NOISE: bool = true;

    fn name(&self) -> &'static str {
        self.name
    }

    fn settings(&self) -> Table {
        self.settings.clone()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn priors(&self) -> &[f64] {
        &self.priors
    }

    fn tensors(&self) -> NamedTensors {
        let (k, d) = (self.priors.len(), self.columns());
        let tensor = |name: &str, values: &[f64], shape: &[usize]| {
            (format!("model.{name}"), TensorData::new(values.to_vec(), shape.to_vec()))
        };
        vec![
            tensor("prior", &self.priors, &[k]),
            tensor("mean", &self.mean, &[k, d]),
            tensor("factor", &self.factor, &[groups(self.rule, k), d, d]),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let priors = take(self.name, tensors, "model.prior", self.priors.len())?;
        let mean = take(self.name, tensors, "model.mean", self.mean.len())?;
        let factor = take(self.name, tensors, "model.factor", self.factor.len())?;
        (self.priors, self.mean, self.factor) = (priors, mean, factor);
        self.whiten();
        Ok(())
    }

    fn log_densities(&self, rows: &[f64]) -> Vec<f64> {
        let (d, classes) = (self.columns(), self.priors.len());
        let n = rows.len() / d.max(1);
        let mut found = vec![f64::NEG_INFINITY; n * classes];
        let half_log_tau = 0.5 * (2.0 * std::f64::consts::PI).ln();
        for class in (0..classes).filter(|&class| self.priors[class] > 0.0) {
            let log_det = self.whitening[self.group(class)].log_det;
            let constant = -(d as f64) * half_log_tau - log_det;
            for (row, distance) in self.distances(rows, class).into_iter().enumerate() {
                found[row * classes + class] = constant - 0.5 * distance;
            }
        }
        found
    }

    fn draw(&self, class: usize, spread: f64, rng: &mut impl Rng, out: &mut Vec<f64>) {
        let d = self.columns();
        let mut z = vec![0.0f32; d];
        fill_normal(rng, &mut z);
        let factor = &self.factor[self.group(class) * d * d..][..d * d];
        for i in 0..d {
            let noise: f64 = (0..=i).map(|j| factor[i * d + j] * f64::from(z[j])).sum();
            out.push(self.mean[class * d + i] + if spread == 0.0 { 0.0 } else { spread * noise });
        }
    }

    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        let d = self.columns();
        let of = Labeled::new(self.name, &self.data);
        let pooled = self.rule.pooled;
        let moments = class_moments(&of, pooled, examples, context.stop, &mut *context.progress)?;
        let mut notes = Vec::new();
        let priors = of.priors(&moments.counts, &mut notes)?;
        let covariances = self.covariances(&moments)?;
        let mut factor = Vec::with_capacity(covariances.len());
        for (group, covariance) in covariances.chunks_exact(d * d).enumerate() {
            let found = self.factor_of(covariance);
            factor.extend(
                found.map_err(|without| {
                    self.singular(group, &moments.counts, &without, covariance)
                })?,
            );
        }
        let mut estimates = of.prior_estimates(&moments.counts);
        let Rule { share, setting, .. } = self.rule;
        if share > 0.0 {
            notes.push(format!("covariances are regularized, {setting} = {share}"));
        }
        (self.priors, self.factor) = (priors, factor);
        self.mean = moments.mean.clone();
        self.whiten();
        estimates.extend(self.estimates(&moments, &covariances));
        let present = moments.counts.iter().filter(|n| **n > 0.0).count();
        let covariances = if pooled { 1 } else { present };
        let free = present - 1 + present * d + covariances * (d * (d + 1) / 2);
        if estimates.len() <= free {
            notes.push(format!("{} of {} estimates are listed", estimates.len(), free + 1));
        }
        Ok(FitReport { estimates, notes, free: Some(free), ..FitReport::default() })
    }
}
