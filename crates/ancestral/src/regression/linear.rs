//! Linear regression with normal noise (Gauss 1809; Hastie, Tibshirani and Friedman 2009, chapter 3): the
//! density of a column, the target, given the others,
//!
//! p(y | x) = N(y; b + w · x, σ²),
//!
//! by least squares, which are the maximum of the likelihood; with `penalty` λ ridge regression (Hoerl and
//! Kennard 1970), which adds λ Σ w² to the sum of squares, w the weights of standardized columns
//! (`standardize`) or of the raw ones; the bias is not penalized. With λ = alpha and raw columns this is
//! scikit-learn's `Ridge`. The likelihood is exact.
//!
//! σ² is the mean square of the residuals (maximum likelihood). Standard errors, tests and intervals take
//! the sum of squares over n − 1 − d, d the number of weights, or with a penalty the trace of the matrix
//! that gives fitted values. Then they are of the penalized fit, whose bias towards 0 they do not include.
//!
//! The columns, standardized, are decomposed by Householder reflections. Constant columns have weight 0
//! and no standard error; so have, without a penalty, columns that are linear combinations of columns
//! before them. A categorical column is coded as one indicator for each category after the first.
//!
//! The model has no distribution of the other columns: samples complete rows of these.

use ancestral_data::{Batch, Examples, fill_normal};
use burn::tensor::TensorData;
use toml::Table;

use super::least_squares::{Solution, Triangle, solve};
use crate::distributions::coefficients::coefficients;
use crate::distributions::take;
use crate::model::{
    BLOCK, Capability, ColumnKind, Completion, DataSpec, Density, DensityKind, DensityOptions,
    Estimate, Estimator, FitContext, FitReport, KindName, Learning, LogProbability, Model,
    ModelConfig, ModelEntry, NamedTensors, Regression, SampleRequest, Sampler, Size, SizeBuilder,
    Task, block_sums, product,
};
use crate::optim::minimize::dot;
use crate::settings::Settings;
use crate::terms::{Term, TermMoments, count, count_of, terms};
use crate::{Error, Result, settings};

const NAME: &str = "linear";
/// The kinds of columns it takes.
const KINDS: &[KindName] =
    &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels, KindName::Category];
/// The largest number of terms, whose products are stored.
const MOST_TERMS: usize = 4096;
/// The size of an estimate with its name, in doubles.
const ESTIMATE: usize = 14;
/// Rows that are decomposed at once.
const ROWS: usize = 1024;
/// The part of the target's variance below which residuals are rounding errors.
const ROUNDING: f64 = 1e-20;
/// The most names that a note or an error lists.
const NAMES: usize = 5;

settings! {
    /// Settings of linear regression.
    pub struct LinearConfig {
        /// Column that is predicted from the others; the last one if empty.
        pub target: String = String::new();
        /// Ridge (L2) penalty λ: λ times the sum of squared weights is added to the sum of squared
        /// residuals; 0 for least squares.
        pub penalty: f64 = 0.0, in 0.0..;
        /// Whether the penalty applies to the weights of standardized columns, instead of raw ones.
        /// Without a penalty it has no effect.
        pub standardize: bool = true;
        /// Number added to the variance of the noise, so that a target that the columns determine has a
        /// density.
        pub variance_floor: f64 = 0.0, in 0.0.., unit "units of the target, squared";
        /// Confidence of the intervals of coefficients.
        pub confidence: f64 = 0.95, in 0.5..=0.9999;
    }
}

/// Linear regression.
pub struct Linear {
    config: LinearConfig,
    data: DataSpec,
    target: usize,
    terms: Vec<Term>,
    /// The mean of each term.
    mean: Vec<f64>,
    /// The standard deviation of each term; 1 for constant ones.
    scale: Vec<f64>,
    /// Weights of standardized terms.
    weight: Vec<f64>,
    bias: f64,
    /// σ.
    deviation: f64,
    /// (ZᵀZ + Λ)⁻¹ of the standardized terms, for leverages; 0 for terms without weights.
    inverse: Vec<f64>,
    /// The number of training examples.
    examples: f64,
    /// The standard error of the noise, √(RSS / (n − 1 − d)).
    residual_deviation: f64,
}

/// The entry of `linear`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: NAME,
        about: "linear regression of a column on the others, by least squares, with or without a ridge \
                penalty",
        paper: "Gauss 1809; Hoerl and Kennard 1970",
        tasks: &[Task::Regression],
        capabilities: &[Capability::TargetDensity, Capability::TargetSamples],
        validation: &[],
        learning: Learning::Fit,
        kinds: KINDS,
        size: |table, data| LinearConfig::from_table(table)?.size(data),
        presets: &[],
        fields: LinearConfig::fields,
        train: |_| Table::new(),
        complete: |_, _| {},
        build: |table, data, _| Ok(Box::new(LinearConfig::from_table(table)?.init(data)?)),
    }
}

impl ModelConfig for LinearConfig {
    fn model_name(&self) -> &'static str {
        NAME
    }
}

fn unsuitable(problem: impl Into<String>) -> Error {
    Error::UnsuitableData { model: NAME.to_owned(), problem: problem.into() }
}

/// The first few names, and how many more there are.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMES);
    let first: Vec<String> = names.take(NAMES).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

impl LinearConfig {
    /// The target, and the number of terms of the other columns.
    fn check(&self, data: &DataSpec) -> Result<(usize, usize)> {
        self.check_values()?;
        data.check_kinds(NAME, KINDS)?;
        let columns = product(data.shape.dims());
        let named = (0..columns).find(|&at| data.column_name(at) == self.target);
        let target = match (self.target.is_empty(), named) {
            (true, _) => columns.saturating_sub(1),
            (false, Some(at)) => at,
            (false, None) => {
                let names = (0..columns.min(20)).map(|at| data.column_name(at));
                let more = if columns > 20 { ", …" } else { "" };
                let names = format!("{}{more}", names.collect::<Vec<_>>().join(", "));
                let labels = ["label", "class", "target"].contains(&self.target.as_str());
                let hint = match labels && data.classes > 0 {
                    true => "; it was read as the labels of classes: give it another name",
                    false => "",
                };
                let allowed = format!("the columns are {names}{hint}");
                return Err(Error::setting("target", format!("'{}'", self.target), allowed));
            }
        };
        let kind = data.kind(target).unwrap_or(ColumnKind::Real);
        if let ColumnKind::Category(n) = kind {
            let name = data.column_name(target);
            return Err(unsuitable(format!(
                "the target '{name}' has {n} categories, and a regression predicts a number; a \
                 classifier, as logistic or naive-bayes, predicts classes"
            )));
        }
        let terms = count(data).saturating_sub(count_of(kind));
        if terms == 0 {
            return Err(unsuitable("there is no column to predict the target from"));
        }
        if terms > MOST_TERMS {
            return Err(unsuitable(format!(
                "{terms} terms have too many products, and it takes {MOST_TERMS} at most"
            )));
        }
        Ok((target, terms))
    }

    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (_, terms) = self.check(data)?;
        let mut size = SizeBuilder::default();
        size.trained(&[terms + 1]);
        size.buffer(&[terms, 2]);
        size.buffer(&[terms, terms]);
        size.buffer(&[3]);
        let squares = product(&[terms + 1, terms + 1]);
        // A row as it is read, its copies for a decomposition, and the triangle of its block.
        size.kept((product(&[terms + 1, 4]) + squares / BLOCK) as u64);
        size.fixed(product(&[squares, 6]) as u64);
        size.fixed(product(&[terms + 1, ESTIMATE]) as u64);
        Ok(size.finish())
    }

    /// A model that predicts 0 with standard normal noise.
    ///
    /// # Errors
    /// If a setting is out of range, there is no such target, it has categories, or there are no or too
    /// many other columns.
    pub fn init(&self, data: &DataSpec) -> Result<Linear> {
        let (target, _) = self.check(data)?;
        let terms: Vec<Term> =
            terms(data).into_iter().filter(|term| term.column != target).collect();
        let n = terms.len();
        Ok(Linear {
            config: self.clone(),
            data: data.clone(),
            target,
            terms,
            mean: vec![0.0; n],
            scale: vec![1.0; n],
            weight: vec![0.0; n],
            bias: 0.0,
            deviation: 1.0,
            inverse: vec![0.0; n * n],
            examples: 0.0,
            residual_deviation: 1.0,
        })
    }
}

impl Linear {
    /// The prediction for a row, in the units of the target.
    fn predict(&self, row: &[f64]) -> f64 {
        let standardized = self.terms.iter().zip(&self.mean).zip(&self.scale);
        let terms = standardized.zip(&self.weight).filter(|(_, weight)| **weight != 0.0);
        self.bias
            + terms
                .map(|(((term, mean), scale), weight)| weight * (term.value(row) - mean) / scale)
                .sum::<f64>()
    }

    /// The part of a training row's own target in its prediction.
    fn leverage(&self, row: &[f64]) -> f64 {
        let standardized = self.terms.iter().zip(&self.mean).zip(&self.scale);
        let z: Vec<f64> =
            standardized.map(|((term, mean), scale)| (term.value(row) - mean) / scale).collect();
        let rows = self.inverse.chunks_exact(z.len().max(1));
        let product: f64 = rows.zip(&z).map(|(inverse, x)| x * dot(inverse, &z)).sum();
        1.0 / self.examples.max(1.0) + product
    }
}

impl Model for Linear {
    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn target(&self) -> Option<usize> {
        Some(self.target)
    }

    fn tensors(&self) -> NamedTensors {
        let n = self.terms.len();
        let tensor = |name: &str, values: &[f64], shape: &[usize]| {
            (format!("model.{name}"), TensorData::new(values.to_vec(), shape.to_vec()))
        };
        vec![
            tensor("weight", &self.weight, &[n]),
            tensor("bias", &[self.bias], &[1]),
            tensor("mean", &self.mean, &[n]),
            tensor("scale", &self.scale, &[n]),
            tensor("noise", &[self.deviation, self.residual_deviation, self.examples], &[3]),
            tensor("inverse", &self.inverse, &[n, n]),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let read = |name, length| take(NAME, tensors, name, length);
        let n = self.terms.len();
        let (weight, bias) = (read("model.weight", n)?, read("model.bias", 1)?);
        let (mean, scale) = (read("model.mean", n)?, read("model.scale", n)?);
        let (noise, inverse) = (read("model.noise", 3)?, read("model.inverse", n * n)?);
        (self.weight, self.bias) = (weight, bias[0]);
        (self.mean, self.scale, self.inverse) = (mean, scale, inverse);
        (self.deviation, self.residual_deviation, self.examples) = (noise[0], noise[1], noise[2]);
        Ok(())
    }

    fn density(&self) -> Option<&dyn Density> {
        Some(self)
    }

    fn sampler(&self) -> Option<&dyn Sampler> {
        Some(self)
    }

    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        Some(self)
    }
}

impl Density for Linear {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _data: &DataSpec) -> bool {
        false
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let constant = -0.5 * (2.0 * std::f64::consts::PI).ln() - self.deviation.ln();
        let of = |row: &[f64]| {
            let z = (row[self.target] - self.predict(row)) / self.deviation;
            constant - 0.5 * z * z
        };
        let nats = batch.values.chunks_exact(self.data.size().max(1)).map(of).collect();
        Ok(LogProbability { nats, monte_carlo: None })
    }
}

impl Sampler for Linear {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let Some(known) = &request.known else { return Ok(Vec::new()) };
        let size = self.data.size().max(1);
        let purpose = request.streams.purpose("sample", 0);
        let kind = self.data.kind(self.target).filter(|kind| kind.is_discrete());
        let spread = if request.mean { 0.0 } else { request.temperature * self.deviation };
        let mut out = known.values.clone();
        for (at, row) in out.chunks_exact_mut(size).enumerate() {
            if known.given[at * size + self.target] {
                continue;
            }
            let mut z = [0.0f32];
            fill_normal(&mut purpose.item(request.first + at as u64), &mut z);
            let noise = if spread == 0.0 { 0.0 } else { spread * f64::from(z[0]) };
            let value = self.predict(row) + noise;
            row[self.target] = match kind.filter(|_| !request.mean) {
                None => value,
                Some(kind) => {
                    value.round().clamp(0.0, kind.max_level().map_or(f64::INFINITY, f64::from))
                }
            };
        }
        Ok(out)
    }

    fn completion(&self) -> Completion {
        Completion::Any
    }
}

impl Linear {
    /// The values of the terms of a row and, last, of the target.
    fn expand(&self, row: &[f64], out: &mut [f64]) {
        let (last, all) = (self.terms.len(), &self.terms);
        out.iter_mut().zip(all).for_each(|(out, term)| *out = term.value(row));
        out[last] = row[self.target];
    }

    fn check_block(&self, block: &Batch) -> Result<()> {
        let size = self.data.size();
        match block.values.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(at) => Err(unsuitable(format!(
                "example {} holds {} where a finite number was expected",
                block.indices.get(at / size).copied().unwrap_or(0),
                block.values[at]
            ))),
        }
    }

    /// The moments of the terms and, last, of the target.
    fn moments(&self, examples: &Examples, context: &mut FitContext<'_>) -> Result<TermMoments> {
        let width = self.terms.len() + 1;
        let add = |block: &Batch, sums: &mut TermMoments| {
            self.check_block(block)?;
            let mut own = TermMoments::empty(width);
            own.examples = block.len() as f64;
            let rows = || block.values.chunks_exact(self.data.size());
            let (mut x, mut first) = (vec![0.0; width], vec![0.0; width]);
            if let Some(row) = rows().next() {
                self.expand(row, &mut first);
            }
            // Squares about the first row, then about the mean.
            for row in rows() {
                self.expand(row, &mut x);
                for t in 0..width {
                    own.mean[t] += x[t] - first[t];
                    own.least[t] = own.least[t].min(x[t]);
                    own.most[t] = own.most[t].max(x[t]);
                }
            }
            let n = own.examples;
            own.mean.iter_mut().zip(&first).for_each(|(mean, first)| *mean = first + *mean / n);
            for row in rows() {
                self.expand(row, &mut x);
                let apart = own.squares.iter_mut().zip(x.iter().zip(&own.mean));
                apart.for_each(|(squares, (x, mean))| *squares += (x - mean) * (x - mean));
            }
            sums.merge(own);
            Ok(())
        };
        let progress = &mut |share: f64| (context.progress)(0.5 * share);
        let empty = || TermMoments::empty(width);
        block_sums(examples, context.stop, progress, empty, add, TermMoments::merge)
    }

    /// The triangle of the standardized columns and target.
    fn triangle(
        &self,
        examples: &Examples,
        moments: &TermMoments,
        scale: &[f64],
        context: &mut FitContext<'_>,
    ) -> Result<Triangle> {
        let width = self.terms.len() + 1;
        let size = self.data.size();
        let empty = || Triangle { rows: Vec::new(), side: width };
        let add = |block: &Batch, sums: &mut Triangle| {
            let rows_at_once = ROWS.max(2 * width);
            for part in block.values.chunks(rows_at_once * size) {
                let mut rows = vec![0.0; part.len() / size * width];
                for (row, out) in part.chunks_exact(size).zip(rows.chunks_exact_mut(width)) {
                    self.expand(row, out);
                    let standard = moments.mean.iter().zip(scale);
                    out.iter_mut()
                        .zip(standard)
                        .for_each(|(x, (mean, scale))| *x = (*x - mean) / scale);
                }
                sums.join(Triangle::of(rows, width));
            }
            Ok(())
        };
        let progress = &mut |share: f64| (context.progress)(0.5 + 0.5 * share);
        block_sums(examples, context.stop, progress, empty, add, Triangle::join)
    }
}

impl Estimator for Linear {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        if examples.shape().size() != self.data.size() {
            let (given, own) = (examples.shape(), &self.data.shape);
            return Err(unsuitable(format!("examples are {given} and it was made for {own}")));
        }
        context.check_stop()?;
        let moments = self.moments(examples, context)?;
        let (n, last) = (moments.examples, self.terms.len());
        let deviation = |squares: &f64| (squares / n).sqrt();
        let scale: Vec<f64> = moments.squares.iter().map(deviation).collect();
        let scale: Vec<f64> = scale.iter().map(|&s| if s > 0.0 { s } else { 1.0 }).collect();
        let target = self.data.column_name(self.target);
        if moments.least[last] == moments.most[last] {
            return Err(unsuitable(format!(
                "the target '{target}' is constant in the training split, and nothing is to be \
                 predicted"
            )));
        }
        let mut notes = Vec::new();
        let (constant, of): (Vec<usize>, Vec<usize>) =
            (0..last).partition(|&t| moments.least[t] == moments.most[t]);
        let name = |&t: &usize| self.terms[t].name(&self.data);
        if !constant.is_empty() {
            let names = listed(constant.iter().map(name));
            notes.push(format!("constant in the training split, weight 0: {names}"));
        }
        let triangle = self.triangle(examples, &moments, &scale, context)?;
        let LinearConfig { penalty, standardize, .. } = self.config;
        let lambda = |&t: &usize| match standardize {
            true => penalty,
            false => penalty / (scale[t] * scale[t]),
        };
        let found = solve(&triangle, &of, &of.iter().map(lambda).collect::<Vec<_>>());
        let aliased: Vec<usize> =
            of.iter().copied().filter(|t| !found.chosen.contains(t)).collect();
        let degrees = n - 1.0 - found.degrees;
        if penalty == 0.0 && degrees < 0.5 {
            return Err(unsuitable(format!(
                "{n} training examples leave no residual for {} weights and a bias, and so no errors \
                 and no density; set penalty above 0 (ridge), or take fewer columns",
                of.len()
            )));
        }
        if !aliased.is_empty() {
            let names = listed(aliased.iter().map(name));
            notes.push(format!("a linear combination of columns before it, weight 0: {names}"));
        }
        let unit = scale[last] * scale[last];
        let squares = found.rest * unit;
        let variance = squares / n + self.config.variance_floor;
        if found.rest / n < ROUNDING && self.config.variance_floor == 0.0 {
            return Err(unsuitable(format!(
                "the target '{target}' is a linear function of the other columns, without noise, and \
                 has no density given them; leave out what determines it, or set variance_floor above 0"
            )));
        }
        if penalty > 0.0 {
            notes.push(format!(
                "estimates are those of the penalized fit, penalty = {penalty}; penalty = 0 is least \
                 squares"
            ));
        }
        let residual_variance = squares / degrees;
        let estimates = self.estimates(&found, &moments, &scale, (residual_variance.sqrt(), n));
        let explained = 1.0 - found.rest / n;
        let adjusted = 1.0 - (1.0 - explained) * (n - 1.0) / degrees;
        let mut metrics = vec![
            ("r_squared", explained),
            ("adjusted_r_squared", adjusted),
            ("residual_deviation", residual_variance.sqrt()),
        ];
        if penalty == 0.0 && found.degrees > 0.0 {
            let f = explained / found.degrees / ((1.0 - explained) / degrees);
            metrics.push(("f_statistic", f));
        }
        let confidence = self.config.confidence;
        let regression = Regression {
            confidence,
            degrees: Some(degrees),
            coefficients: coefficients(&estimates, Some(degrees), confidence),
            metrics,
        };
        let free = found.degrees.round() as usize + 2;
        self.weight.fill(0.0);
        self.inverse.fill(0.0);
        let side = found.chosen.len();
        for (i, &t) in found.chosen.iter().enumerate() {
            self.weight[t] = found.weights[i] * scale[last];
            for (j, &u) in found.chosen.iter().enumerate() {
                self.inverse[t * last + u] = found.inverse[i * side + j];
            }
        }
        self.bias = moments.mean[last];
        self.mean = moments.mean[..last].to_vec();
        self.scale = scale[..last].to_vec();
        (self.deviation, self.examples) = (variance.sqrt(), n);
        self.residual_deviation = residual_variance.sqrt();
        Ok(FitReport {
            estimates,
            notes,
            regression: Some(regression),
            free: Some(free),
            ..FitReport::default()
        })
    }
}

impl Linear {
    /// The bias and the weights in the units of the data, with their errors.
    fn estimates(
        &self,
        found: &Solution,
        moments: &TermMoments,
        scale: &[f64],
        (noise, n): (f64, f64),
    ) -> Vec<Estimate> {
        let last = self.terms.len();
        let side = found.chosen.len().max(1);
        let width = found.spread.len() / side;
        // Of the weights of standardized columns and target.
        let relative = noise / scale[last];
        let spread = |i: usize| &found.spread[i * width..(i + 1) * width];
        let mut bias = moments.mean[last];
        let mut direction = vec![0.0; width];
        let mut weights = vec![(0.0, None); last];
        for (i, &t) in found.chosen.iter().enumerate() {
            let unit = scale[last] / scale[t];
            bias -= found.weights[i] * unit * moments.mean[t];
            let ratio = moments.mean[t] / scale[t];
            direction.iter_mut().zip(spread(i)).for_each(|(d, s)| *d += ratio * s);
            let stderr = relative * unit * dot(spread(i), spread(i)).sqrt();
            weights[t] = (found.weights[i] * unit, Some(stderr));
        }
        let stderr = noise * (1.0 / n + dot(&direction, &direction)).sqrt();
        let bias = Estimate { name: "bias".to_owned(), value: bias, stderr: Some(stderr) };
        let weights = self.terms.iter().zip(weights).map(|(term, (value, stderr))| Estimate {
            name: format!("weight[{}]", term.name(&self.data)),
            value,
            stderr,
        });
        std::iter::once(bias).chain(weights).collect()
    }
}

/// How a fitted line lies among rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnostics {
    /// The name of the target.
    pub target: String,
    /// The prediction for each row.
    pub fitted: Vec<f64>,
    /// The target less the prediction.
    pub residual: Vec<f64>,
    /// The part of each row's own target in its prediction, for training rows: from 1/n to 1.
    pub leverage: Vec<f64>,
    /// Residuals over their standard errors, (internally) studentized.
    pub studentized: Vec<f64>,
    /// The number of coefficients, the bias included, that leverages add up to.
    pub coefficients: f64,
}

impl Diagnostics {
    /// Cook's distance of each row: how far the fit would move without it (Cook 1977).
    pub fn cook(&self) -> Vec<f64> {
        let rows = self.studentized.iter().zip(&self.leverage);
        rows.map(|(r, h)| r * r * h / ((1.0 - h) * self.coefficients)).collect()
    }
}

/// The residuals and leverages of the examples that a regression was fitted to.
///
/// # Errors
/// If the model is no linear regression.
pub fn diagnostics(model: &dyn Model, examples: &Examples) -> Result<Diagnostics> {
    if model.name() != NAME {
        return Err(Error::Unsupported {
            model: model.name().to_owned(),
            problem: "is no linear regression and has no residuals".to_owned(),
        });
    }
    let mut own = LinearConfig::from_table(&model.settings())?.init(model.data())?;
    own.load(&model.tensors())?;
    let mut found = Diagnostics {
        target: own.data.column_name(own.target),
        fitted: Vec::new(),
        residual: Vec::new(),
        leverage: Vec::new(),
        studentized: Vec::new(),
        coefficients: 0.0,
    };
    for indices in examples.indices().chunks(BLOCK) {
        let batch = examples.batch(indices, 0);
        for row in batch.values.chunks_exact(own.data.size()) {
            let (fitted, leverage) = (own.predict(row), own.leverage(row));
            let residual = row[own.target] - fitted;
            let error = own.residual_deviation * (1.0 - leverage).max(0.0).sqrt();
            found.fitted.push(fitted);
            found.residual.push(residual);
            found.leverage.push(leverage);
            found.studentized.push(if error > 0.0 { residual / error } else { f64::NAN });
        }
    }
    found.coefficients = found.leverage.iter().sum();
    Ok(found)
}
