//! Multinomial logistic regression (McCullagh and Nelder 1989, chapter 5; Bishop 2006, section
//! 4.3.4).
//!
//! p(y = k | x) ∝ exp(b_k + w_k · x), fitted by maximum likelihood, with a ridge penalty or without:
//! the least of
//!
//! −Σ log p(y | x) + λ/2 Σ_j Σ_k (w_kj − w̄_j)²,  w̄_j the mean over classes,
//!
//! with the weights of standardized columns in the penalty (`standardize`) or those of the columns as
//! they are. A number added to a column's weights of all classes changes no probability, and so not
//! the penalty; the bias is free. With λ = 1/C this is the softmax of scikit-learn, and for two
//! classes half of the penalty of its binary form.
//!
//! The objective is convex. Up to [`NEWTON_AT_MOST`] parameters are found by Newton's method (which
//! is iteratively reweighted least squares here), more by L-BFGS; all in double precision, with
//! columns standardized inside whatever the settings, and with the same bits for any number of
//! threads.
//!
//! Weights and biases are reported in the units of the data, relative to the reference: the first
//! class that has training examples, whose own are 0.
//! Their standard errors are the roots of the diagonal of the inverse of the observed information:
//! asymptotic, as they are everywhere. With λ > 0 it is the information of the penalized fit; the
//! estimates are then biased towards 0, and the errors say nothing of that. Fits by L-BFGS have none.
//!
//! Where some linear function of the columns tells classes apart without an error, the likelihood
//! has no maximum (Albert and Anderson 1984): with λ = 0 that is an error. It is exact where all
//! classes are told apart; where only some examples are, Newton's method finds it to rounding, and
//! L-BFGS does not converge.
//! Constant columns have weight 0 and no standard error; so have, with λ = 0 and Newton's method,
//! columns that are linear combinations of those before them.
//! A class without training examples has probability 0 (its bias is −∞).
//! A category column counts as one indicator for each category after the first.

use std::sync::atomic::AtomicBool;

use ancestral_data::{Batch, Examples};
use burn::tensor::TensorData;
use toml::Table;

use crate::distributions::take;
use crate::model::{
    BLOCK, Capability, Classified, Classifier, ColumnKind, Columns, DataSpec, Estimate, Estimator,
    FitContext, FitReport, KindName, Learning, Model, ModelEntry, NamedTensors, Size, SizeBuilder,
    Task, block_sums, product,
};
use crate::optim::minimize::{Cholesky, Curved, Ended, Limits, Minimum, dot, largest};
use crate::optim::minimize::{lbfgs, newton};
use crate::settings::{Settings, above};
use crate::{Error, Result, settings};

/// The kinds of columns it takes.
const KINDS: &[KindName] =
    &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels, KindName::Category];

/// Parameters that Newton's method takes at most, since it holds their number squared.
pub const NEWTON_AT_MOST: usize = 1000;
/// Parameters at most.
const MOST_PARAMETERS: usize = 20_000_000;
/// Copies of them that a fit holds, nearly, with their estimates' names.
const COPIES: usize = 40;
/// Examples whose curvature is added at once.
const ROWS: usize = 64;
/// The share of a column's variance that columns before it leave over, below which it is a
/// combination of them: single precision, in which data is held, leaves 10⁻¹⁵.
const ALIASED: f64 = 1e-10;
/// The least margin, in nats, by which examples count as told apart.
const MARGIN: f64 = 1e-6;
/// The share of a direction's largest change by which it may lower a margin and still count as one
/// along which the likelihood rises for ever.
const AGAINST: f64 = 1e-6;
/// Names that a note or an error lists.
const LISTED: usize = 5;

settings! {
    /// Settings of logistic regression.
    pub struct LogisticConfig {
        /// Ridge penalty λ: λ/2 times the squared distance of the weights from their mean over
        /// classes is added to the negative log-likelihood; 0 for maximum likelihood.
        pub penalty: f64 = 1.0, in 0.0.., unit "nats";
        /// Whether the penalty is on the weights of standardized columns; else of the columns as they
        /// are. Without a penalty it changes nothing.
        pub standardize: bool = true;
        /// Iterations at most.
        pub max_iterations: usize = 1000, in 1..;
        /// Largest entry of the gradient at which iterations end, in nats an example for one
        /// standard deviation.
        pub tolerance: f64 = 1e-6, in above(0.0);
    }
}

/// Multinomial logistic regression.
#[derive(Debug)]
pub struct Logistic {
    config: LogisticConfig,
    data: DataSpec,
    terms: Vec<Term>,
    /// The mean of each term `[terms]`.
    mean: Vec<f64>,
    /// The standard deviation of each term `[terms]`; 1 for constant ones.
    scale: Vec<f64>,
    /// Of standardized terms, `[classes, terms]` row after row.
    weight: Vec<f64>,
    /// `[classes]`.
    bias: Vec<f64>,
}

/// What a weight belongs to: a column, or one category of it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Term {
    column: usize,
    category: Option<f64>,
}

impl Term {
    fn value(self, example: &[f64]) -> f64 {
        let x = example[self.column];
        match self.category {
            None => x,
            Some(category) => f64::from(x == category),
        }
    }
}

/// The list entry of `logistic`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: "logistic",
        about: "multinomial logistic regression, with a ridge penalty or without; weights are \
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
        build: |table, data, _| Ok(Box::new(LogisticConfig::from_table(table)?.init(data)?)),
    }
}

fn unsuitable(problem: String) -> Error {
    Error::UnsuitableData { model: "logistic".to_owned(), problem }
}

/// What the weights of this data belong to, in the order of its columns.
fn terms(data: &DataSpec) -> Vec<Term> {
    let of = |column: usize| {
        let categories = match data.kind(column) {
            Some(ColumnKind::Category(n)) => 1..n,
            _ => 0..1,
        };
        categories.map(move |c| Term { column, category: (c > 0).then_some(f64::from(c)) })
    };
    (0..data.size()).flat_map(of).collect()
}

/// How many there are.
fn count_terms(data: &DataSpec) -> usize {
    let of = |kind: &ColumnKind| match kind {
        ColumnKind::Category(n) => n.saturating_sub(1) as usize,
        _ => 1,
    };
    match &data.columns {
        Columns::Same(kind) => product(&[product(data.shape.dims()), of(kind)]),
        Columns::Each(kinds) => kinds.iter().map(of).fold(0, usize::saturating_add),
    }
}

impl LogisticConfig {
    /// How large one would be.
    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (terms, parameters) = self.check(data)?;
        let mut size = SizeBuilder::default();
        size.trained(&[parameters]);
        size.buffer(&[terms, 2]);
        size.kept(product(data.shape.dims()) as u64);
        // Copies in a fit, what is said of each estimate, and what each weight belongs to.
        size.fixed(product(&[parameters, COPIES]) as u64);
        size.fixed(product(&[terms, 4]) as u64);
        if parameters <= NEWTON_AT_MOST {
            // The curvature of every block, their sum, and its factors.
            size.fixed(product(&[parameters, parameters, 4]) as u64);
            size.kept(product(&[parameters, parameters]).div_ceil(BLOCK) as u64);
        }
        Ok(size.finish())
    }

    /// Refuses what is out of range or does not suit the data, and gives the numbers of terms and
    /// of weights and biases.
    fn check(&self, data: &DataSpec) -> Result<(usize, usize)> {
        self.check_values()?;
        data.check_kinds("logistic", KINDS)?;
        if data.classes < 2 {
            return Err(unsuitable(match data.classes {
                0 => "it learns to tell classes apart and this data has no labels; a table's are \
                      in a column named label, class or target"
                    .to_owned(),
                _ => "it learns to tell classes apart and this data has 1 class".to_owned(),
            }));
        }
        let terms = count_terms(data);
        let parameters = product(&[data.classes, terms.saturating_add(1)]);
        if parameters > MOST_PARAMETERS {
            return Err(unsuitable(format!(
                "{} classes of {terms} columns have {parameters} weights and biases, and it takes \
                 {MOST_PARAMETERS} at most",
                data.classes
            )));
        }
        Ok((terms, parameters))
    }

    /// One that gives every class the same probability.
    ///
    /// # Errors
    /// If a setting is out of range, or the data has no labels, one class or too many columns.
    pub fn init(&self, data: &DataSpec) -> Result<Logistic> {
        self.check(data)?;
        let terms = terms(data);
        Ok(Logistic {
            config: self.clone(),
            data: data.clone(),
            mean: vec![0.0; terms.len()],
            scale: vec![1.0; terms.len()],
            weight: vec![0.0; data.classes * terms.len()],
            bias: vec![0.0; data.classes],
            terms,
        })
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
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        let (classes, terms) = (self.bias.len(), self.terms.len());
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
    /// None: the logits are linear in the columns.
    fn feature_dim(&self) -> usize {
        0
    }

    fn classify(&self, values: &[f64]) -> Result<Classified> {
        let size = self.data.size();
        if !values.len().is_multiple_of(size) {
            return Err(unsuitable(format!(
                "{} entries were given, which is no whole number of examples of {size} ({})",
                values.len(),
                self.data.shape
            )));
        }
        check_finite(values, size, 0)?;
        let (n, terms) = (values.len() / size, self.terms.len());
        let mut found = Classified {
            features: Vec::new(),
            probabilities: Vec::with_capacity(n * self.bias.len()),
        };
        let mut z = vec![0.0; terms];
        for example in values.chunks_exact(size) {
            for (t, z) in z.iter_mut().enumerate() {
                *z = (self.terms[t].value(example) - self.mean[t]) / self.scale[t];
            }
            let scores = self.weight.chunks_exact(terms).zip(&self.bias);
            let scores: Vec<f64> = scores.map(|(weight, bias)| bias + dot(weight, &z)).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let all: f64 = scores.iter().map(|score| (score - top).exp()).sum();
            found.probabilities.extend(scores.iter().map(|score| (score - top).exp() / all));
        }
        Ok(found)
    }
}

/// Refuses values that are no finite numbers; `first` is the number of the first example.
fn check_finite(values: &[f64], size: usize, first: u64) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(unsuitable(format!(
            "example {} holds {} where a finite number was expected",
            first + (at / size) as u64,
            values[at]
        ))),
    }
}

impl Estimator for Logistic {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        if examples.shape().size() != self.data.size() {
            let (given, own) = (examples.shape(), &self.data.shape);
            return Err(unsuitable(format!("examples are {given} and it was made for {own}")));
        }
        let moments = self.moments(examples, context.stop)?;
        let mut notes = Vec::new();
        self.check_classes(&moments, &mut notes)?;
        let (constant, chosen): (Vec<usize>, Vec<usize>) =
            (0..self.terms.len()).partition(|&t| moments.least[t] == moments.most[t]);
        if !constant.is_empty() {
            let names = self.names(&constant);
            notes.push(format!("constant in the training split, so of weight 0: {names}"));
        }
        let mut problem = Problem::new(self, examples, &moments, chosen);
        if problem.is_small() {
            let aliased = problem.aliased(context.stop)?;
            if !aliased.is_empty() {
                let names = self.names(&aliased);
                let so = if self.config.penalty == 0.0 {
                    let chosen = problem.chosen.into_iter().filter(|t| !aliased.contains(t));
                    problem = Problem::new(self, examples, &moments, chosen.collect());
                    "so of weight 0"
                } else {
                    "so that the penalty alone shares out their weights and bounds their standard \
                     errors"
                };
                notes.push(format!("a linear combination of columns before it, {so}: {names}"));
            }
        }
        let minimum = problem.minimize(context)?;
        notes.extend(self.note_of_the_end(&minimum));
        if self.config.penalty > 0.0 {
            let penalty = self.config.penalty;
            notes.push(format!(
                "estimates are those of the penalized fit, penalty = {penalty}; penalty = 0 is \
                 maximum likelihood"
            ));
        }
        let information = problem.information(&minimum, &mut notes);
        let estimates = problem.estimates(&minimum.at, information.as_ref());
        let (chosen, rows, width) = (problem.chosen, problem.rows, problem.width);
        self.weight.fill(0.0);
        self.bias.fill(f64::NEG_INFINITY);
        for (class, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let found = &minimum.at[row * width..][..width];
            self.bias[class] = found[0];
            for (&t, &w) in chosen.iter().zip(&found[1..]) {
                self.weight[class * self.terms.len() + t] = w;
            }
        }
        self.scale = moments.deviations();
        self.mean = moments.mean;
        Ok(FitReport {
            estimates,
            converged: Some(minimum.ended == Ended::Converged),
            trace: minimum.trace,
            notes,
        })
    }
}

/// Means and spreads of the terms, and how often each class comes.
struct Moments {
    examples: f64,
    mean: Vec<f64>,
    /// Σ (x − mean)².
    squares: Vec<f64>,
    least: Vec<f64>,
    most: Vec<f64>,
    classes: Vec<u64>,
}

impl Moments {
    /// The standard deviation of each term; 1 for constant ones.
    fn deviations(&self) -> Vec<f64> {
        let deviation = |squares: &f64| (squares / self.examples).sqrt();
        self.squares.iter().map(deviation).map(|d| if d > 0.0 { d } else { 1.0 }).collect()
    }

    /// Adds later examples, without cancellation (Chan, Golub and LeVeque 1983).
    fn merge(&mut self, later: Self) {
        if self.examples == 0.0 {
            *self = later;
            return;
        }
        let all = self.examples + later.examples;
        let share = later.examples / all;
        for t in 0..self.mean.len() {
            let apart = later.mean[t] - self.mean[t];
            self.squares[t] += later.squares[t] + apart * apart * self.examples * share;
            self.mean[t] += apart * share;
            self.least[t] = self.least[t].min(later.least[t]);
            self.most[t] = self.most[t].max(later.most[t]);
        }
        self.classes.iter_mut().zip(later.classes).for_each(|(sum, n)| *sum += n);
        self.examples = all;
    }
}

impl Logistic {
    fn moments(&self, examples: &Examples, stop: &AtomicBool) -> Result<Moments> {
        let terms = self.terms.len();
        let empty = || Moments {
            examples: 0.0,
            mean: vec![0.0; terms],
            squares: vec![0.0; terms],
            least: vec![f64::INFINITY; terms],
            most: vec![f64::NEG_INFINITY; terms],
            classes: vec![0; self.bias.len()],
        };
        let add = |block: &Batch, sums: &mut Moments| {
            let mut own = empty();
            own.examples = block.len() as f64;
            self.check_block(block, &mut own.classes)?;
            let rows = || block.values.chunks_exact(self.data.size());
            for row in rows() {
                for (t, term) in self.terms.iter().enumerate() {
                    let x = term.value(row);
                    own.mean[t] += x;
                    own.least[t] = own.least[t].min(x);
                    own.most[t] = own.most[t].max(x);
                }
            }
            own.mean.iter_mut().for_each(|mean| *mean /= own.examples);
            for row in rows() {
                for (t, term) in self.terms.iter().enumerate() {
                    own.squares[t] += (term.value(row) - own.mean[t]).powi(2);
                }
            }
            sums.merge(own);
            Ok(())
        };
        block_sums(examples, stop, &mut |_| {}, empty, add, Moments::merge)
    }

    /// Refuses examples that cannot be learned from, and counts their classes.
    fn check_block(&self, block: &Batch, classes: &mut [u64]) -> Result<()> {
        let first = block.indices.first().copied().unwrap_or(0);
        check_finite(&block.values, self.data.size(), first)?;
        if let Some(at) = block.missing.iter().flatten().position(|&missing| missing) {
            return Err(unsuitable(format!(
                "example {} lacks a value, and it takes whole examples",
                first + (at / self.data.size()) as u64
            )));
        }
        let labels = block.labels.as_ref().ok_or_else(|| {
            unsuitable(
                "it learns to tell classes apart and these examples have no labels".to_owned(),
            )
        })?;
        let known = classes.len();
        for &label in labels {
            *classes.get_mut(label as usize).ok_or_else(|| {
                unsuitable(format!("an example is of class {label} and it knows {known} classes"))
            })? += 1;
        }
        Ok(())
    }

    /// Notes classes without training examples, and refuses fewer than two with some.
    fn check_classes(&self, moments: &Moments, notes: &mut Vec<String>) -> Result<()> {
        let (some, none): (Vec<usize>, Vec<usize>) =
            (0..moments.classes.len()).partition(|&class| moments.classes[class] > 0);
        if let [class] = some[..] {
            return Err(unsuitable(format!(
                "all training examples are of class {class}, and it learns to tell two or more \
                 apart"
            )));
        }
        if !none.is_empty() {
            let names = listed(none.iter().map(usize::to_string));
            notes.push(format!("without training examples, so of probability 0: class {names}"));
        }
        Ok(())
    }

    /// Why the iterations ended, unless it was at a minimum.
    fn note_of_the_end(&self, minimum: &Minimum) -> Option<String> {
        let (n, tolerance) = (minimum.trace.len(), self.config.tolerance);
        let gradient = largest(&minimum.gradient);
        let why = match minimum.ended {
            Ended::Converged => return None,
            Ended::Iterations if gradient <= tolerance => {
                "the weights still grow, as they do where the likelihood has no maximum; set \
                 penalty above 0"
            }
            Ended::Iterations => "raise max_iterations or tolerance",
            Ended::Rounding => "double precision hides what is left; raise tolerance",
        };
        Some(format!(
            "not converged after {n} iterations (largest entry of the gradient {gradient:.1e}, \
             tolerance {tolerance:.1e}): {why}"
        ))
    }

    /// The columns, or their categories, that terms stand for.
    fn names(&self, terms: &[usize]) -> String {
        listed(terms.iter().map(|&t| self.term_name(t)))
    }

    fn term_name(&self, term: usize) -> String {
        let Term { column, category } = self.terms[term];
        let name = self.data.column_name(column);
        category.map_or(name.clone(), |category| format!("{name}={category}"))
    }
}

/// The first few names, and how many more there are.
fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let first: Vec<String> = names.take(LISTED).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", first.join(", "))
}

/// The objective as a function of `[classes, width]` parameters: for each class with training
/// examples its bias and the weights of its standardized terms.
struct Problem<'a> {
    model: &'a Logistic,
    examples: &'a Examples,
    moments: &'a Moments,
    scale: Vec<f64>,
    /// The terms that have weights.
    chosen: Vec<usize>,
    /// Parameters of a class: its bias and those weights.
    width: usize,
    /// The number of each class among those with training examples.
    rows: Vec<Option<usize>>,
    /// How many these are.
    classes: usize,
    /// The penalty on each parameter of a class, for one example.
    ridge: Vec<f64>,
}

/// What a pass over the examples adds up.
struct Sums {
    /// −log p(class | example), in nats.
    nll: f64,
    /// `[classes, width]`.
    gradient: Vec<f64>,
    /// Of the classes after the reference, `[(classes − 1) · width]²`, the lower half; or empty.
    hessian: Vec<f64>,
    /// The least difference between the score of an example's class and the next best.
    margin: f64,
}

impl<'a> Problem<'a> {
    fn new(
        model: &'a Logistic,
        examples: &'a Examples,
        moments: &'a Moments,
        chosen: Vec<usize>,
    ) -> Self {
        let scale = moments.deviations();
        let mut present = 0..;
        let rows: Vec<Option<usize>> =
            moments.classes.iter().map(|&n| if n > 0 { present.next() } else { None }).collect();
        let of = |&t: &usize| {
            let unit: f64 = if model.config.standardize { 1.0 } else { scale[t] };
            model.config.penalty / (unit * unit * moments.examples)
        };
        Self {
            ridge: std::iter::once(0.0).chain(chosen.iter().map(of)).collect(),
            width: chosen.len() + 1,
            classes: rows.iter().flatten().count(),
            model,
            examples,
            moments,
            scale,
            chosen,
            rows,
        }
    }

    /// Parameters that are free: those of all classes but the reference.
    fn free(&self) -> usize {
        (self.classes - 1) * self.width
    }

    fn is_small(&self) -> bool {
        self.free() <= NEWTON_AT_MOST
    }

    /// Parameters of all classes from those of all but the reference, which has zeros.
    fn all(&self, free: &[f64]) -> Vec<f64> {
        [&vec![0.0; self.width], free].concat()
    }

    /// The bias's 1 and the standardized terms of an example.
    fn fill(&self, example: &[f64], z: &mut [f64]) {
        z[0] = 1.0;
        for (&t, z) in self.chosen.iter().zip(&mut z[1..]) {
            *z = (self.model.terms[t].value(example) - self.moments.mean[t]) / self.scale[t];
        }
    }

    /// The number of each example's class among those with training examples, and the examples.
    fn rows<'b>(&'b self, block: &'b Batch) -> impl Iterator<Item = (usize, &'b [f64])> {
        let labels = block.labels.iter().flatten();
        let rows = labels.map(|&label| self.rows[label as usize].unwrap_or(0));
        rows.zip(block.values.chunks_exact(self.model.data.size()))
    }

    fn scores(&self, parameters: &[f64], z: &[f64], scores: &mut [f64]) {
        for (score, of_class) in scores.iter_mut().zip(parameters.chunks_exact(self.width)) {
            *score = dot(of_class, z);
        }
    }

    /// The sums at parameters of all classes, with the Hessian or without.
    fn pass(&self, parameters: &[f64], curved: bool, stop: &AtomicBool) -> Result<Sums> {
        let side = if curved { self.free() } else { 0 };
        let empty = || Sums {
            nll: 0.0,
            gradient: vec![0.0; parameters.len()],
            hessian: vec![0.0; side * side],
            margin: f64::INFINITY,
        };
        let add = |block: &Batch, sums: &mut Sums| {
            let (width, classes) = (self.width, self.classes);
            let (mut z, mut p) = (vec![0.0; ROWS * width], vec![0.0; ROWS * classes]);
            let mut residuals = vec![0.0; classes];
            let mut filled = 0;
            for (label, example) in self.rows(block) {
                let z_row = &mut z[filled * width..][..width];
                let p_row = &mut p[filled * classes..][..classes];
                self.fill(example, z_row);
                self.scores(parameters, z_row, p_row);
                let (nll, margin) = soften(p_row, label, &mut residuals);
                sums.nll += nll;
                sums.margin = sums.margin.min(margin);
                for (gradient, &r) in sums.gradient.chunks_exact_mut(width).zip(&residuals) {
                    gradient.iter_mut().zip(&*z_row).for_each(|(g, z)| *g += r * z);
                }
                filled += 1;
                if filled == ROWS && curved {
                    self.curve(&z, &p, &mut sums.hessian);
                }
                filled %= ROWS;
            }
            if curved {
                self.curve(&z[..filled * width], &p[..filled * classes], &mut sums.hessian);
            }
            Ok(())
        };
        let merge = |sums: &mut Sums, later: Sums| {
            sums.nll += later.nll;
            sums.margin = sums.margin.min(later.margin);
            sums.gradient.iter_mut().zip(later.gradient).for_each(|(g, x)| *g += x);
            sums.hessian.iter_mut().zip(later.hessian).for_each(|(h, x)| *h += x);
        };
        block_sums(self.examples, stop, &mut |_| {}, empty, add, merge)
    }

    /// Adds the curvature of rows with these probabilities: Σ p_k (δ_kl − p_l) z zᵀ.
    fn curve(&self, z: &[f64], p: &[f64], hessian: &mut [f64]) {
        let (width, side) = (self.width, self.free());
        let mut factors = vec![0.0; z.len() / width];
        for k in 1..self.classes {
            for l in 1..=k {
                for i in 0..width {
                    let rows = p.chunks_exact(self.classes).zip(z.chunks_exact(width));
                    for (factor, (p, z)) in factors.iter_mut().zip(rows) {
                        let weight = if k == l { p[k] * (1.0 - p[k]) } else { -p[k] * p[l] };
                        *factor = weight * z[i];
                    }
                    let length = if k == l { i + 1 } else { width };
                    let at = ((k - 1) * width + i) * side + (l - 1) * width;
                    add_rows(&mut hessian[at..at + length], &factors, z, width);
                }
            }
        }
    }

    /// The objective for one example at parameters of all classes; its Hessian is that of the classes
    /// after the reference.
    fn objective(&self, parameters: &[f64], curved: bool, stop: &AtomicBool) -> Result<Curved> {
        let mut sums = self.pass(parameters, curved, stop)?;
        if self.model.config.penalty == 0.0 && sums.margin > MARGIN {
            return Err(self.separated("the classes of all training examples apart", parameters));
        }
        let n = self.moments.examples;
        let mut value = sums.nll / n;
        sums.gradient.iter_mut().for_each(|g| *g /= n);
        sums.hessian.iter_mut().for_each(|h| *h /= n);
        let (width, classes) = (self.width, self.classes as f64);
        for j in 1..width {
            let of_class = || parameters.iter().skip(j).step_by(width);
            let mean = of_class().sum::<f64>() / classes;
            value += 0.5 * self.ridge[j] * of_class().map(|w| (w - mean).powi(2)).sum::<f64>();
            for (g, w) in sums.gradient.iter_mut().skip(j).step_by(width).zip(of_class()) {
                *g += self.ridge[j] * (w - mean);
            }
            if curved {
                for k in 0..self.classes - 1 {
                    for l in 0..=k {
                        let own = if k == l { 1.0 } else { 0.0 };
                        sums.hessian[(k * width + j) * self.free() + l * width + j] +=
                            self.ridge[j] * (own - 1.0 / classes);
                    }
                }
            }
        }
        Ok(Curved { value, gradient: sums.gradient, hessian: sums.hessian })
    }

    /// The error that says that the likelihood has no maximum; it grows in this direction.
    fn separated(&self, how: &str, direction: &[f64]) -> Error {
        let size = |j: usize| {
            direction.iter().skip(j).step_by(self.width).fold(0.0, |most: f64, d| most.max(d.abs()))
        };
        let most = (1..self.width).max_by(|&a, &b| size(a).total_cmp(&size(b)));
        let of = match most {
            Some(j) => {
                format!(", most of all that of {}", self.model.term_name(self.chosen[j - 1]))
            }
            None => String::new(),
        };
        unsuitable(format!(
            "the classes are separated: a linear function of the columns tells {how}, so that the \
             likelihood has no maximum and weights grow without end{of}; set penalty above 0, as \
             in --set penalty=1, or leave columns out"
        ))
    }

    /// Terms that are linear combinations of those before them (and of the bias).
    fn aliased(&self, stop: &AtomicBool) -> Result<Vec<usize>> {
        // Without weights all examples have one curvature, and that of a class is the Gram matrix
        // of the terms.
        let sums = self.pass(&vec![0.0; self.classes * self.width], true, stop)?;
        let (width, side) = (self.width, self.free());
        let mut lower: Vec<Vec<f64>> = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        let mut found = Vec::new();
        for i in 0..width {
            let mut row: Vec<f64> = Vec::with_capacity(kept.len() + 1);
            for (other, &j) in lower.iter().zip(&kept) {
                let inner = dot(&row, other);
                row.push((sums.hessian[i * side + j] - inner) / other[row.len()]);
            }
            let own = sums.hessian[i * side + i];
            let rest = own - dot(&row, &row);
            if rest > ALIASED * own {
                row.push(rest.sqrt());
                lower.push(row);
                kept.push(i);
            } else {
                found.push(self.chosen[i - 1]);
            }
        }
        Ok(found)
    }

    /// The least objective, with zeros for the reference.
    fn minimize(&self, context: &mut FitContext<'_>) -> Result<Minimum> {
        let tolerance = self.model.config.tolerance;
        // How far the gradient has fallen, on a scale of logarithms.
        let (mut start, mut done) = (None, 0.0f64);
        let progress = &mut context.progress;
        let mut tell = |gradient: &[f64]| {
            let now = largest(gradient).max(tolerance);
            let start = *start.get_or_insert(now);
            let share = (start / now).ln() / (start / tolerance).ln();
            done = done.max(if share.is_finite() { share } else { 1.0 });
            progress(done);
        };
        if self.is_small() {
            self.by_newton(context.stop, &mut tell)
        } else {
            self.by_lbfgs(context.stop, &mut tell)
        }
    }

    fn limits(&self) -> Limits {
        let config = &self.model.config;
        Limits { tolerance: config.tolerance, iterations: config.max_iterations }
    }

    fn by_newton(&self, stop: &AtomicBool, tell: &mut dyn FnMut(&[f64])) -> Result<Minimum> {
        let mut evaluate = |free: &[f64]| {
            let found = self.objective(&self.all(free), true, stop)?;
            tell(&found.gradient);
            Ok(Curved { gradient: found.gradient[self.width..].to_vec(), ..found })
        };
        let mut flat = |step: &[f64]| {
            let step = self.all(step);
            if self.model.config.penalty == 0.0 && self.never_falls(&step, stop)? {
                let how = "some training examples apart from other classes and is wrong of none";
                return Err(self.separated(how, &step));
            }
            Ok(())
        };
        let start = vec![0.0; self.free()];
        let found = newton(start, self.limits(), &mut evaluate, &mut flat)?;
        Ok(Minimum { at: self.all(&found.at), ..found })
    }

    fn by_lbfgs(&self, stop: &AtomicBool, tell: &mut dyn FnMut(&[f64])) -> Result<Minimum> {
        let start = vec![0.0; self.classes * self.width];
        // In parameters of all classes alike, which are better scaled than those of a reference.
        let mut found = lbfgs(start, self.limits(), &mut |parameters| {
            let Curved { value, gradient, .. } = self.objective(parameters, false, stop)?;
            tell(&gradient);
            Ok((value, gradient))
        })?;
        let reference = found.at[..self.width].to_vec();
        for of_class in found.at.chunks_exact_mut(self.width) {
            of_class.iter_mut().zip(&reference).for_each(|(w, r)| *w -= r);
        }
        Ok(found)
    }

    /// Whether the score of every example's class gains on all others, or keeps its distance, in a
    /// direction that changes some.
    fn never_falls(&self, direction: &[f64], stop: &AtomicBool) -> Result<bool> {
        let empty = || (f64::INFINITY, 0.0f64);
        let add = |block: &Batch, (least, most): &mut (f64, f64)| {
            let (mut z, mut scores) = (vec![0.0; self.width], vec![0.0; self.classes]);
            for (label, example) in self.rows(block) {
                self.fill(example, &mut z);
                self.scores(direction, &z, &mut scores);
                for gain in scores.iter().map(|score| scores[label] - score) {
                    (*least, *most) = (least.min(gain), most.max(gain));
                }
            }
            Ok(())
        };
        let merge = |(least, most): &mut (f64, f64), later: (f64, f64)| {
            (*least, *most) = (least.min(later.0), most.max(later.1));
        };
        let (least, most) = block_sums(self.examples, stop, &mut |_| {}, empty, add, merge)?;
        Ok(most > 0.0 && least >= -AGAINST * most)
    }

    /// The factor of the observed information for one example, where standard errors can be had.
    fn information(&self, minimum: &Minimum, notes: &mut Vec<String>) -> Option<Cholesky> {
        if !self.is_small() {
            notes.push(format!(
                "no standard errors: they take the inverse of a matrix of {} parameters, and are \
                 given for {NEWTON_AT_MOST} at most",
                self.free()
            ));
            return None;
        }
        let factor = Cholesky::new(&minimum.hessian, self.free())
            .filter(|factor| factor.least_share(&minimum.hessian) > ALIASED);
        if factor.is_none() {
            let why = "no standard errors: the observed information is singular to rounding";
            notes.push(why.to_owned());
        }
        factor
    }

    /// Biases, then weights, in the units of the data.
    fn estimates(&self, parameters: &[f64], information: Option<&Cholesky>) -> Vec<Estimate> {
        let width = self.width;
        let error = |direction: &[f64]| {
            let half = information?.forward(direction);
            Some((dot(&half, &half) / self.moments.examples).sqrt())
        };
        let classes = || {
            let rows = self.rows.iter().enumerate();
            rows.filter_map(|(class, row)| Some((class, (*row)?))).filter(|&(_, row)| row > 0)
        };
        let biases = classes().map(|(class, row)| {
            // b − Σ w mean / scale.
            let mut direction = vec![0.0; self.free()];
            let own = &mut direction[(row - 1) * width..][..width];
            own[0] = 1.0;
            for (&t, d) in self.chosen.iter().zip(&mut own[1..]) {
                *d = -self.moments.mean[t] / self.scale[t];
            }
            let value = dot(own, &parameters[row * width..][..width]);
            Estimate { name: format!("bias[{class}]"), value, stderr: error(&direction) }
        });
        let weights = classes().flat_map(|(class, row)| {
            (0..self.model.terms.len()).map(move |t| {
                let name = format!("weight[{class}, {}]", self.model.term_name(t));
                let Ok(at) = self.chosen.binary_search(&t) else {
                    return Estimate { name, value: 0.0, stderr: None };
                };
                let mut direction = vec![0.0; if information.is_some() { self.free() } else { 0 }];
                if let Some(d) = direction.get_mut((row - 1) * width + at + 1) {
                    *d = 1.0 / self.scale[t];
                }
                let value = parameters[row * width + at + 1] / self.scale[t];
                Estimate { name, value, stderr: error(&direction) }
            })
        });
        biases.chain(weights).collect()
    }
}

/// Turns scores into probabilities and `residuals` into their distance from the label's; gives
/// −log p(label) and the margin by which the label's score is ahead.
fn soften(scores: &mut [f64], label: usize, residuals: &mut [f64]) -> (f64, f64) {
    let (mut top, mut rival) = (0, f64::NEG_INFINITY);
    for (k, &score) in scores.iter().enumerate() {
        top = if score > scores[top] { k } else { top };
        rival = if k == label { rival } else { rival.max(score) };
    }
    let (most, own) = (scores[top], scores[label]);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    // What the others add to the 1 of the largest, to the last bit of it where they are small.
    let sum = |all: &[f64], but: usize| {
        all.iter().enumerate().filter(|&(k, _)| k != but).map(|(_, x)| x).sum::<f64>()
    };
    let rest = sum(scores, top);
    scores.iter_mut().for_each(|e| *e /= 1.0 + rest);
    residuals.copy_from_slice(scores);
    residuals[label] = -sum(scores, label);
    (most - own + rest.ln_1p(), own - rival)
}

/// Adds Σ factor · row to `out`, of rows of `width` entries that `out` may be shorter than.
fn add_rows(out: &mut [f64], factors: &[f64], rows: &[f64], width: usize) {
    let length = out.len();
    let (fours, rows_of_four) = (factors.chunks_exact(4), rows.chunks_exact(4 * width));
    let rest = fours.remainder().iter().zip(rows_of_four.remainder().chunks_exact(width));
    for (f, rows) in fours.zip(rows_of_four) {
        let row = |i: usize| &rows[i * width..][..length];
        let pairs = row(0).iter().zip(row(1)).zip(row(2).iter().zip(row(3)));
        for (out, ((a, b), (c, d))) in out.iter_mut().zip(pairs) {
            *out += (f[0] * a + f[1] * b) + (f[2] * c + f[3] * d);
        }
    }
    for (f, row) in rest {
        out.iter_mut().zip(row).for_each(|(out, z)| *out += f * z);
    }
}

#[cfg(test)]
mod tests {
    use ancestral_data::{Binarize, Dataset, Domain, Shape, Split, SplitName, Streams, Values};

    use super::*;
    use crate::model::{Columns, fit};

    static NEVER: AtomicBool = AtomicBool::new(false);

    /// Overlapping classes of reals, of scales 1 and 100.
    fn examples(n: usize, columns: usize, classes: usize) -> Examples {
        let noise = Streams::new(7).purpose("x", 0).normals(&[0], n * columns);
        let at = |k: usize| {
            let (i, j) = (k / columns, k % columns);
            let centre = if (i % classes + j).is_multiple_of(3) { 1.0 } else { 0.0 };
            (centre + noise[k]) * if j % 2 == 0 { 1.0 } else { 100.0 }
        };
        let labels = (0..n).map(|i| (i % classes) as u32).collect();
        labelled(columns, (0..n * columns).map(at).collect(), labels)
    }

    fn labelled(columns: usize, values: Vec<f32>, labels: Vec<u32>) -> Examples {
        let split = Split { values: Values::Reals(values), labels: Some(labels) };
        let data = Dataset::new("t", Domain::Real, Shape::columns(columns), split, None, None);
        Examples::new(&data.unwrap(), SplitName::Train, Binarize::None, 0).unwrap()
    }

    fn model(settings: &str, columns: usize, classes: usize) -> Logistic {
        let data = DataSpec::new(Domain::Real, Shape::columns(columns), classes);
        LogisticConfig::from_table(&settings.parse().unwrap()).unwrap().init(&data).unwrap()
    }

    #[test]
    fn slopes_and_curvatures_are_those_of_differences() {
        let examples = examples(150, 3, 3);
        for settings in ["penalty = 0.0", "penalty = 4.0", "penalty = 4.0\nstandardize = false"] {
            let model = model(settings, 3, 3);
            let moments = model.moments(&examples, &NEVER).unwrap();
            let problem = Problem::new(&model, &examples, &moments, vec![0, 1, 2]);
            let start: Vec<f64> = (0..12).map(|i| (i as f64).sin()).collect();
            let found = problem.objective(&start, true, &NEVER).unwrap();
            let moved = |i: usize, by: f64| {
                let mut at = start.clone();
                at[i] += by;
                problem.objective(&at, false, &NEVER).unwrap()
            };
            let h = 1e-5;
            for i in 0..12 {
                let (up, down) = (moved(i, h), moved(i, -h));
                let slope = (up.value - down.value) / (2.0 * h);
                assert!((slope - found.gradient[i]).abs() < 1e-9, "{settings}: {i}: {slope}");
                for j in 4..=i {
                    let curvature = (up.gradient[j] - down.gradient[j]) / (2.0 * h);
                    let by_hand = found.hessian[(i - 4) * 8 + j - 4];
                    assert!((curvature - by_hand).abs() < 1e-8, "{settings}: {i} {j}: {by_hand}");
                }
            }
        }
    }

    #[test]
    fn both_methods_find_one_minimum() {
        let examples = examples(400, 5, 4);
        for settings in ["penalty = 0.0", "penalty = 2.0", "penalty = 1e-3\nstandardize = false"] {
            let model = model(&format!("{settings}\ntolerance = 1e-9"), 5, 4);
            let moments = model.moments(&examples, &NEVER).unwrap();
            let problem = Problem::new(&model, &examples, &moments, (0..5).collect());
            let newton = problem.by_newton(&NEVER, &mut |_| {}).unwrap();
            let lbfgs = problem.by_lbfgs(&NEVER, &mut |_| {}).unwrap();
            assert_eq!((newton.ended, lbfgs.ended), (Ended::Converged, Ended::Converged));
            assert!(newton.trace.len() < 12, "{}", newton.trace.len());
            for (a, b) in newton.at.iter().zip(&lbfgs.at) {
                assert!((a - b).abs() < 1e-6, "{settings}: {a} {b}");
            }
        }
    }

    #[test]
    fn the_thread_count_changes_no_bit_of_many_blocks() {
        let examples = examples(10_000, 3, 3);
        let model = model("", 3, 3);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let moments = model.moments(&examples, &NEVER).unwrap();
                let problem = Problem::new(&model, &examples, &moments, vec![0, 1, 2]);
                let newton = problem.by_newton(&NEVER, &mut |_| {}).unwrap();
                (newton, problem.by_lbfgs(&NEVER, &mut |_| {}).unwrap())
            })
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
    }

    /// The error, or the report, of a fit to one column and its labels.
    fn fit_column(settings: &str, values: &[f32], labels: &[u32]) -> Result<FitReport> {
        let mut model = model(settings, 1, 2);
        fit(&mut model, &labelled(1, values.to_vec(), labels.to_vec()), 0)
    }

    #[test]
    fn separated_classes_have_no_maximum() {
        let (x, apart) = ([1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1]);
        let error = fit_column("penalty = 0.0", &x, &apart).unwrap_err().to_string();
        assert!(error.contains("all training examples") && error.contains("x0"), "{error}");
        // 2 is of both classes, what is on its sides of one each.
        let (x, touching) = ([1.0, 2.0, 2.0, 3.0], [0, 0, 1, 1]);
        let error = fit_column("penalty = 0.0", &x, &touching).unwrap_err().to_string();
        assert!(error.contains("some training examples"), "{error}");
        // One example on the wrong side, and a maximum there is.
        let (x, mixed) = ([1.0, 2.0, 2.1, 1.9, 3.0], [0, 0, 1, 1, 1]);
        let report = fit_column("penalty = 0.0", &x, &mixed).unwrap();
        assert_eq!(report.converged, Some(true));
        assert!(report.notes.is_empty(), "{:?}", report.notes);
        assert!(report.estimates.iter().all(|e| e.stderr.is_some_and(|s| s > 0.0)), "{report:?}");
        for labels in [apart, touching] {
            let report = fit_column("", &x[..4], &labels).unwrap();
            assert_eq!(report.converged, Some(true));
            assert!(report.notes[0].contains("penalty = 1"), "{:?}", report.notes);
        }
        // Far columns of one rare value, as pixels have them.
        let x: Vec<f32> = (0..200).map(|i| if i == 150 { 9.0 } else { 0.0 }).collect();
        let labels: Vec<u32> = (0..200).map(|i| i % 2).collect();
        let error = fit_column("penalty = 0.0", &x, &labels).unwrap_err().to_string();
        assert!(error.contains("some training examples"), "{error}");
    }

    #[test]
    fn iterations_that_end_early_are_told() {
        let mut model = model("max_iterations = 1", 3, 3);
        let report = fit(&mut model, &examples(100, 3, 3), 0).unwrap();
        assert_eq!((report.converged, report.trace.len()), (Some(false), 1));
        assert!(report.notes[0].contains("raise max_iterations"), "{:?}", report.notes);
    }

    /// A column again, their sum, a constant, and a class that never comes.
    #[test]
    fn columns_and_classes_that_say_nothing_are_left_out() {
        let plain = examples(120, 2, 2);
        let x = plain.batch(&(0..120).collect::<Vec<_>>(), 0).values;
        let wide: Vec<f32> = x
            .chunks_exact(2)
            .flat_map(|x| [x[0], x[0], x[1], x[0] + x[1], 7.0].map(|x| x as f32))
            .collect();
        // Classes 1 and 3 of 4.
        let labels: Vec<u32> = (0..120).map(|i| 1 + 2 * (i % 2)).collect();
        let given = labelled(5, wide, labels);
        let mut narrow = model("penalty = 0.0", 2, 2);
        let expected = fit(&mut narrow, &plain, 0).unwrap().estimates;
        let mut wide = model("penalty = 0.0", 5, 4);
        let report = fit(&mut wide, &given, 0).unwrap();
        let found: Vec<(&str, f64, Option<f64>)> =
            report.estimates.iter().map(|e| (e.name.as_str(), e.value, e.stderr)).collect();
        assert_eq!(found.len(), 6);
        let same = |found: (&str, f64, Option<f64>), name: &str, expected: &Estimate| {
            assert_eq!(found.0, name);
            assert!((found.1 - expected.value).abs() < 1e-9, "{found:?} {expected:?}");
            let error = found.2.unwrap() - expected.stderr.unwrap();
            assert!(error.abs() < 1e-9, "{found:?} {expected:?}");
        };
        same(found[0], "bias[3]", &expected[0]);
        same(found[1], "weight[3, x0]", &expected[1]);
        assert_eq!(found[2], ("weight[3, x1]", 0.0, None));
        same(found[3], "weight[3, x2]", &expected[2]);
        assert_eq!(found[4], ("weight[3, x3]", 0.0, None));
        assert_eq!(found[5], ("weight[3, x4]", 0.0, None));
        let notes = report.notes.join("; ");
        for words in ["probability 0: class 0, 2", "constant", "x4", "combination", "x1, x3"] {
            assert!(notes.contains(words), "{words}: {notes}");
        }
        let batch = given.batch(&[0, 1, 2], 0);
        let p = wide.classify(&batch.values).unwrap().probabilities;
        let other = narrow.classify(&plain.batch(&[0, 1, 2], 0).values).unwrap().probabilities;
        for (p, other) in p.chunks_exact(4).zip(other.chunks_exact(2)) {
            assert_eq!((p[0], p[2]), (0.0, 0.0));
            assert!((p[1] - other[0]).abs() < 1e-9 && (p[3] - other[1]).abs() < 1e-9);
        }
        let mut penalized = model("", 5, 4);
        let report = fit(&mut penalized, &given, 0).unwrap();
        assert!(report.estimates[..5].iter().all(|e| e.stderr.is_some()), "{report:?}");
        assert!(report.notes.iter().any(|n| n.contains("the penalty alone")), "{report:?}");
    }

    /// Categories are the indicators of all but the first.
    #[test]
    fn categories_count_one_by_one() {
        let n = 90;
        let category = |i: usize| (i * i + i / 7) % 3;
        let labels: Vec<u32> = (0..n).map(|i| ((i * 5 + category(i)) % 2) as u32).collect();
        let x = |i: usize| (i as f32 * 0.7).sin();
        let values = |i: usize| [category(i) as f32, x(i)];
        let hot = |i: usize| [1, 2].map(|c| if category(i) == c { 1.0 } else { 0.0 });
        let given = labelled(2, (0..n).flat_map(values).collect(), labels.clone());
        let indicators =
            labelled(3, (0..n).flat_map(|i| [hot(i)[0], hot(i)[1], x(i)]).collect(), labels);
        let data = DataSpec {
            columns: Columns::Each(vec![ColumnKind::Category(3), ColumnKind::Real]),
            names: vec!["town".to_owned(), "age".to_owned()],
            ..DataSpec::new(Domain::Real, Shape::columns(2), 2)
        };
        let settings: Table = "penalty = 0.0".parse().unwrap();
        let config = LogisticConfig::from_table(&settings).unwrap();
        let mut coded = config.init(&data).unwrap();
        let found = fit(&mut coded, &given, 0).unwrap().estimates;
        let mut by_hand = model("penalty = 0.0", 3, 2);
        let expected = fit(&mut by_hand, &indicators, 0).unwrap().estimates;
        let names: Vec<&str> = found.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names, ["bias[1]", "weight[1, town=1]", "weight[1, town=2]", "weight[1, age]"]);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((found.value, found.stderr), (expected.value, expected.stderr));
        }
        let size = (entry().size)(&settings, &data).unwrap();
        let numbers: usize = coded.tensors().iter().map(|(_, data)| data.num_elements()).sum();
        assert_eq!(size.parameters, numbers as u64);
        assert_eq!((coded.feature_dim(), numbers), (0, 2 * 4 + 6));
    }

    #[test]
    fn what_cannot_be_learned_from_is_refused() {
        let data = |classes| DataSpec::new(Domain::Real, Shape::columns(1), classes);
        let build = |classes| LogisticConfig::default().init(&data(classes));
        assert!(build(0).unwrap_err().to_string().contains("no labels"));
        assert!(build(1).unwrap_err().to_string().contains("1 class"));
        assert!(build(30_000_000).unwrap_err().to_string().contains("60000000 weights"));
        let error = fit_column("", &[1.0, 2.0], &[1, 1]).unwrap_err().to_string();
        assert!(error.contains("all training examples are of class 1"), "{error}");
        let error = fit_column("", &[1.0, 2.0], &[1, 2]).unwrap_err().to_string();
        assert!(error.contains("class 2"), "{error}");
        let split = Split { values: Values::Reals(vec![1.0, 2.0]), labels: None };
        let bare = Dataset::new("t", Domain::Real, Shape::columns(1), split, None, None).unwrap();
        let bare = Examples::new(&bare, SplitName::Train, Binarize::None, 0).unwrap();
        let mut model = build(2).unwrap();
        assert!(fit(&mut model, &bare, 0).unwrap_err().to_string().contains("no labels"));
        let wide = labelled(2, vec![1.0; 4], vec![0, 1]);
        assert!(fit(&mut model, &wide, 0).is_err());
        assert!(model.classify(&[1.0, f64::NAN]).unwrap_err().to_string().contains("example 1"));
        let block = Batch { missing: Some(vec![false, true]), ..Batch::of(vec![1.0, 2.0], 2) };
        let error = model.check_block(&block, &mut [0, 0]).unwrap_err().to_string();
        assert!(error.contains("example 1 lacks"), "{error}");
        // Without columns that say something the classes' shares are all there is.
        let report = fit_column("penalty = 0.0", &[3.0; 4], &[0, 0, 0, 1]).unwrap();
        assert!((report.estimates[0].value + 3f64.ln()).abs() < 1e-9, "{report:?}");
    }
}
