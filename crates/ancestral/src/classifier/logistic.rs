//! Multinomial logistic regression (McCullagh and Nelder 1989, chapter 5; Bishop 2006, section
//! 4.3.4).
//!
//! p(y = k | x) ∝ exp(b_k + w_k · x), fitted by maximum likelihood, with or without a ridge (L2)
//! penalty. The objective is
//!
//! −Σ log p(y | x) + λ/2 Σ_j Σ_k (w_kj − w̄_j)²,  w̄_j the mean over classes,
//!
//! where the weights are those of standardized columns (`standardize`) or of the raw columns. Adding a
//! constant to a column's weights of all classes changes neither the probabilities nor the penalty;
//! the bias is not penalized. With λ = 1/C this is scikit-learn's multinomial logistic regression; for
//! two classes the penalty is half that of its binary form.
//!
//! The objective is convex. It is minimized by L-BFGS, which is preconditioned with the Gram matrix of
//! the columns if that is small enough, and, for up to [`NEWTON_AT_MOST`] free parameters, from near the
//! minimum on by Newton's method (iteratively reweighted least squares). All computations are in double precision on
//! standardized columns, whatever the settings, with the same bits for any number of threads.
//!
//! Weights and biases are reported in the units of the data, relative to a reference class, the
//! first one with training examples.
//! Their standard errors are asymptotic: the square roots of the diagonal of the inverse observed
//! information. With λ > 0 it is the information of the penalized fit; the estimates are then biased
//! towards 0, which the standard errors do not include. Fits by L-BFGS have no standard errors.
//!
//! If the classes are linearly separable, the likelihood has no maximum (Albert and Anderson 1984):
//! with λ = 0 that is an error. Complete separation is detected exactly; quasi-complete separation is
//! detected by Newton's method up to rounding, while L-BFGS ends without convergence, or with weights
//! as large as the tolerance allows.
//! Constant columns have weight 0 and no standard error; so do, with λ = 0 and up to 2000 columns,
//! columns that are linear combinations of the columns before them.
//! A class without training examples has probability 0 (its bias is −∞).
//! A categorical column is coded as one indicator for each category after the first.

mod design;
mod problem;
#[cfg(test)]
mod tests;

use ancestral_data::Examples;
use burn::tensor::TensorData;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use toml::Table;

use crate::distributions::coefficients::coefficients;
use crate::distributions::take;
use crate::model::{
    BLOCK, Capability, Classified, Classifier, DataSpec, Estimator, FitContext, FitReport,
    KindName, Learning, Model, ModelConfig, ModelEntry, NamedTensors, Regression, Size,
    SizeBuilder, Task, product,
};
use crate::optim::minimize::{Ended, Limits, Minimum, largest};
use crate::settings::{Settings, above};
use crate::{Result, settings};
use design::{Design, Moments, Standard, check_finite, listed, unsuitable};
pub use problem::NEWTON_AT_MOST;
use problem::{Penalty, Problem, ROWS};

/// The kinds of columns it takes.
const KINDS: &[KindName] =
    &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels, KindName::Category];

/// The confidence of intervals.
const CONFIDENCE: f64 = 0.95;
/// The largest number of parameters.
const MOST_PARAMETERS: usize = 20_000_000;

settings! {
    /// Settings of logistic regression.
    pub struct LogisticConfig {
        /// Ridge (L2) penalty λ: λ/2 times the squared distance of the weights from their mean over
        /// classes is added to the negative log-likelihood; 0 for maximum likelihood.
        pub penalty: f64 = 1.0, in 0.0.., unit "nats";
        /// Whether the penalty applies to the weights of standardized columns, instead of raw ones.
        /// Without a penalty it has no effect.
        pub standardize: bool = true;
        /// Maximum number of iterations.
        pub max_iterations: usize = 1000, in 1..;
        /// Convergence tolerance: the largest absolute entry of the gradient, in nats per example
        /// and standard deviation of a column.
        pub tolerance: f64 = 1e-5, in above(0.0);
    }
}

/// Multinomial logistic regression.
#[derive(Debug)]
pub struct Logistic {
    config: LogisticConfig,
    design: Design,
    /// The mean of each term `[terms]`.
    mean: Vec<f64>,
    /// The standard deviation of each term `[terms]`; 1 for constant ones.
    scale: Vec<f64>,
    /// Weights of standardized terms, `[classes, terms]` row after row.
    weight: Vec<f64>,
    /// `[classes]`.
    bias: Vec<f64>,
}

/// The entry of `logistic`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "logistic",
        about: "multinomial logistic regression, with or without a ridge penalty; weights are \
                relative to the first class",
        paper: "McCullagh and Nelder 1989, chapter 5",
        tasks: &[Task::Classification],
        capabilities: &[Capability::Classes],
        validation: &[],
        learning: Learning::Fit,
        kinds: KINDS,
        size: |table, data| LogisticConfig::from_table(table)?.size(data),
        presets: &[],
        fields: LogisticConfig::fields,
        train: |_| Table::new(),
        complete: |_, _| {},
        build: |table, data, _| Ok(Box::new(LogisticConfig::from_table(table)?.init(data)?)),
    }
}

impl ModelConfig for LogisticConfig {
    fn model_name(&self) -> &'static str {
        "logistic"
    }
}

impl LogisticConfig {
    /// A model with the same probability for every class.
    ///
    /// # Errors
    /// If a setting is out of range, or the data has no labels, one class or too many columns.
    pub fn init(&self, data: &DataSpec) -> Result<Logistic> {
        self.check(data)?;
        let design = Design::new(data);
        let (terms, classes) = (design.terms.len(), data.classes);
        Ok(Logistic {
            config: self.clone(),
            design,
            mean: vec![0.0; terms],
            scale: vec![1.0; terms],
            weight: vec![0.0; classes * terms],
            bias: vec![0.0; classes],
        })
    }

    /// Refuses what is out of range or does not suit the data; returns the number of terms and that of
    /// parameters.
    fn check(&self, data: &DataSpec) -> Result<(usize, usize)> {
        self.check_values()?;
        data.check_kinds("logistic", KINDS)?;
        let classes = data.classes;
        if classes < 2 {
            return Err(unsuitable(match classes {
                0 => "it is a classifier and this data has no labels; a table's are \
                      in a column named label, class or target"
                    .to_owned(),
                _ => "it is a classifier and this data has 1 class".to_owned(),
            }));
        }
        let terms = crate::terms::count(data);
        if terms == 0 {
            return Err(unsuitable("every column has only one category".to_owned()));
        }
        let parameters = product(&[classes, terms.saturating_add(1)]);
        if parameters > MOST_PARAMETERS {
            return Err(unsuitable(format!(
                "{classes} classes of {terms} columns have {parameters} weights and biases, and it \
                 takes {MOST_PARAMETERS} at most"
            )));
        }
        Ok((terms, parameters))
    }

    /// The size of a model with these settings.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (terms, parameters) = self.check(data)?;
        let mut size = SizeBuilder::default();
        size.trained(&[parameters]);
        size.buffer(&[terms, 2]);
        let needs = problem::needs(terms, data.classes);
        // An example as it is read, and its part of a block's sums.
        let of_block = needs.block.div_ceil(BLOCK as u64);
        size.kept((product(data.shape.dims()) as u64).saturating_add(of_block));
        size.fixed(needs.block.saturating_add(needs.once));
        Ok(size.finish())
    }
}

impl Model for Logistic {
    fn name(&self) -> &'static str {
        "logistic"
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.design.data
    }

    fn tensors(&self) -> NamedTensors {
        let (classes, terms) = (self.bias.len(), self.mean.len());
        let tensor = |name: &str, values: &[f64], shape: &[usize]| {
            (format!("model.{name}"), TensorData::new(values.to_vec(), shape.to_vec()))
        };
        vec![
            tensor("weight", &self.weight, &[classes, terms]),
            tensor("bias", &self.bias, &[classes]),
            tensor("mean", &self.mean, &[terms]),
            tensor("scale", &self.scale, &[terms]),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let read = |name, length| take("logistic", tensors, name, length);
        let weight = read("model.weight", self.weight.len())?;
        let bias = read("model.bias", self.bias.len())?;
        let mean = read("model.mean", self.mean.len())?;
        let scale = read("model.scale", self.scale.len())?;
        (self.weight, self.bias, self.mean, self.scale) = (weight, bias, mean, scale);
        Ok(())
    }

    fn classifier(&self) -> Option<&dyn Classifier> {
        Some(self)
    }

    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        Some(self)
    }
}

impl Classifier for Logistic {
    /// 0: the logits are linear in the columns.
    fn feature_dim(&self) -> usize {
        0
    }

    fn classify(&self, values: &[f64]) -> Result<Classified> {
        let size = self.design.data.size();
        if !values.len().is_multiple_of(size) {
            return Err(unsuitable(format!(
                "{} entries were given, which is not a whole number of examples of {size} ({})",
                values.len(),
                self.design.data.shape
            )));
        }
        check_finite(values, size, 0)?;
        let all: Vec<usize> = (0..self.mean.len()).collect();
        let standard = Standard::new(&self.design, &all, &self.mean, &self.scale);
        let parts = values.par_chunks(ROWS * size);
        let probabilities =
            parts.flat_map_iter(|rows| self.probabilities(&standard, rows)).collect();
        Ok(Classified { features: Vec::new(), probabilities })
    }
}

impl Estimator for Logistic {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        if examples.shape().size() != self.design.data.size() {
            let (given, own) = (examples.shape(), &self.design.data.shape);
            return Err(unsuitable(format!("examples are {given} and it was made for {own}")));
        }
        let moments = self.design.moments(examples, context.stop)?;
        let mut notes = check_classes(&moments, &self.design.data)?;
        let (constant, chosen): (Vec<usize>, Vec<usize>) =
            (0..self.mean.len()).partition(|&t| moments.of.least[t] == moments.of.most[t]);
        if !constant.is_empty() {
            let names = self.design.names(&constant);
            notes.push(format!("constant in the training split, weight 0: {names}"));
        }
        let new = |chosen, stop| self.problem(examples, &moments, chosen).with_products(stop);
        let mut problem = new(chosen, context.stop)?;
        let aliased = problem.aliased();
        if !aliased.is_empty() {
            let names = self.design.names(&aliased);
            let so = if self.config.penalty == 0.0 {
                let chosen = problem.chosen.into_iter().filter(|t| !aliased.contains(t));
                problem = new(chosen.collect(), context.stop)?;
                "weight 0"
            } else {
                "weights determined by the penalty alone"
            };
            notes.push(format!("a linear combination of columns before it, {so}: {names}"));
        }
        let minimum = problem.minimize(self.limits(), context)?;
        notes.extend(note_of_the_end(&minimum, self.config.tolerance));
        if self.config.penalty > 0.0 {
            notes.push(format!(
                "estimates are those of the penalized fit, penalty = {}; penalty = 0 is maximum \
                 likelihood",
                self.config.penalty
            ));
        }
        let information = problem.information(&minimum, &mut notes);
        let estimates = problem.estimates(&minimum.at, information.as_ref());
        let mut regression = Regression {
            confidence: CONFIDENCE,
            degrees: None,
            coefficients: coefficients(&estimates, None, CONFIDENCE),
            metrics: Vec::new(),
        };
        for found in &mut regression.coefficients {
            let (low, high) = found.interval;
            let weight = estimates.iter().find(|estimate| estimate.name == found.name);
            let weight = weight.filter(|estimate| estimate.name.starts_with("weight"));
            found.odds_ratio = weight.map(|w| (w.value.exp(), low.exp(), high.exp()));
        }
        let (chosen, rows, width) = (problem.chosen, problem.rows, problem.width);
        self.weight.fill(0.0);
        self.bias.fill(f64::NEG_INFINITY);
        for (class, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let found = &minimum.at[row * width..][..width];
            self.bias[class] = found[0];
            for (&t, &w) in chosen.iter().zip(&found[1..]) {
                self.weight[class * self.mean.len() + t] = w;
            }
        }
        self.scale = moments.deviations();
        self.mean = moments.of.mean;
        Ok(FitReport {
            estimates,
            converged: Some(minimum.ended == Ended::Converged),
            trace: minimum.trace,
            notes,
            regression: Some(regression),
            free: None,
        })
    }
}

impl Logistic {
    /// p(y | x) of some rows `[rows, classes]`.
    fn probabilities(&self, standard: &Standard, rows: &[f64]) -> Vec<f64> {
        let (size, terms, classes) = (self.design.data.size(), self.mean.len(), self.bias.len());
        let n = rows.len() / size;
        let mut z = vec![0.0; n * terms];
        for (row, z) in rows.chunks_exact(size).zip(z.chunks_exact_mut(terms)) {
            standard.apply(row, z);
        }
        let mut scores = self.bias.repeat(n);
        matmul(
            MatMut::from_row_major_slice_mut(&mut scores, n, classes),
            Accum::Add,
            MatRef::from_row_major_slice(&z, n, terms),
            MatRef::from_row_major_slice(&self.weight, classes, terms).transpose(),
            1.0,
            Par::Seq,
        );
        for scores in scores.chunks_exact_mut(classes) {
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            scores.iter_mut().for_each(|score| *score = (*score - top).exp());
            let all: f64 = scores.iter().sum();
            scores.iter_mut().for_each(|score| *score /= all);
        }
        scores
    }

    fn problem<'a>(
        &'a self,
        examples: &'a Examples,
        moments: &'a Moments,
        chosen: Vec<usize>,
    ) -> Problem<'a> {
        let LogisticConfig { penalty, standardize, .. } = self.config;
        let penalty = Penalty { strength: penalty, standardized: standardize };
        Problem::new(&self.design, examples, moments, penalty, chosen)
    }

    fn limits(&self) -> Limits {
        Limits { tolerance: self.config.tolerance, iterations: self.config.max_iterations }
    }
}

/// Notes on the reference class and on classes without training examples; refuses fewer than two
/// classes with examples.
fn check_classes(moments: &Moments, data: &DataSpec) -> Result<Vec<String>> {
    let name = |&class: &usize| data.class_name(class);
    let (some, none): (Vec<usize>, Vec<usize>) =
        (0..moments.classes.len()).partition(|&class| moments.classes[class] > 0);
    let mut notes = Vec::new();
    match some[..] {
        [] | [_] => {
            return Err(unsuitable(format!(
                "all training examples are of class {}, and it learns to tell two or more \
                 apart",
                listed(some.iter().map(name))
            )));
        }
        [first, ..] => {
            notes.push(format!("weights and biases are relative to class {}", name(&first)))
        }
    }
    if !none.is_empty() {
        let names = listed(none.iter().map(name));
        notes.push(format!("without training examples, probability 0: class {names}"));
    }
    Ok(notes)
}

/// A note on why the iterations ended, unless they converged.
fn note_of_the_end(minimum: &Minimum, tolerance: f64) -> Option<String> {
    let n = minimum.trace.len();
    let gradient = largest(&minimum.gradient);
    let why = match minimum.ended {
        Ended::Converged => return None,
        Ended::Iterations if gradient <= tolerance => {
            "the weights still grow, as they do where the likelihood has no maximum; set \
             penalty above 0"
        }
        Ended::Iterations => "raise max_iterations or tolerance",
        Ended::Rounding => "rounding prevents further progress; raise tolerance",
    };
    Some(format!(
        "not converged after {n} iterations (largest entry of the gradient {gradient:.1e}, \
         tolerance {tolerance:.1e}): {why}"
    ))
}
