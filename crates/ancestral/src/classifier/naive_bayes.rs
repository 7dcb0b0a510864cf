//! Naive Bayes (Maron 1961; Hastie, Tibshirani and Friedman 2009, section 6.6.3): columns that are
//! independent given the class,
//!
//! p(x, y = k) = π_k Π_j p_j(x_j; θ_jk),
//!
//! each with a distribution of its own kind, so that columns of reals, counts, bits, levels and words stand
//! beside each other. With `columns = "kind"` reals are normal, counts Poisson, and the others categorical;
//! with `columns = "aic"` each column of reals or counts has the family of [`families`](crate::distributions::families) with the lowest
//! AIC, summed over classes, and the same family in all of them; those whose support ends at the outermost
//! rows, and limits at infinite parameters, are left out. The likelihood is exact.
//!
//! Estimates are those of maximum likelihood, but for `alpha` pseudo-counts of each category, and
//! as many pseudo-rows with the mean of all classes where counts are Poisson; and for `var_smoothing`, the
//! part of a column's variance over all classes that is added to that in each class. (scikit-learn adds
//! the same to all columns, a part of the largest variance, which hides columns of small numbers.)

use ancestral_data::{Batch, Examples};
use burn::tensor::TensorData;
use rand::Rng;
use rayon::prelude::*;
use toml::Table;

use super::joint::{
    CAPABILITIES, ClassConditional, Joint, LISTED, Labeled, TASKS, check_labels, chosen, unsuitable,
};
use crate::distributions::families::compare::rank;
use crate::distributions::families::{Distribution, FitOptions, Sample, by_name};
use crate::distributions::fitted::{columns_of, open_uniform};
use crate::distributions::take;
use crate::model::{
    BLOCK, ColumnKind, Columns, DataSpec, Estimate, FitContext, FitReport, KindName, Learning,
    Model, ModelConfig, ModelEntry, NamedTensors, Size, SizeBuilder, block_sums, product,
};
use crate::settings::Settings;
use crate::{Result, choices, settings};

const NAME: &str = "naive-bayes";
/// The kinds of columns it takes.
const KINDS: &[KindName] =
    &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels, KindName::Category];
/// The most parameters of a family.
const MOST: usize = 3;
/// The largest number of parameters.
const MOST_PARAMETERS: usize = 100_000_000;
/// The size of an estimate with its name, in doubles.
const ESTIMATE: usize = 14;
/// The numbers of families in stored runs: new ones go to the end.
const STORED: &[&str] = &[
    "normal",
    "poisson",
    "exponential",
    "gamma",
    "beta",
    "weibull",
    "log-normal",
    "negative-binomial",
    "student-t",
    "inverse-gamma",
    "logistic",
    "log-logistic",
    "cauchy",
    "gumbel",
    "half-normal",
    "rayleigh",
    "chi-squared",
    "geometric",
    "inverse-gaussian",
    "zero-inflated-poisson",
    "laplace",
    "uniform",
    "pareto",
    "von-mises",
    "gev",
    "gpd",
    "skew-normal",
];
/// Families whose support ends at the outermost rows, where AIC does not hold and new rows are impossible.
const ENDING: [&str; 2] = ["uniform", "pareto"];
const NORMAL: usize = 0;
const POISSON: usize = 1;

choices! {
    /// What the distributions of columns are chosen by.
    pub enum ChosenBy {
        /// normal for reals, Poisson for counts, categorical for the others
        Kind = "kind",
        /// for reals and counts, the family with the lowest AIC
        Aic = "aic",
    }
}

settings! {
    /// Settings of naive Bayes.
    pub struct NaiveBayesConfig {
        /// What the distributions of columns are chosen by.
        pub columns: ChosenBy = ChosenBy::Kind;
        /// Part of the variance of each column of reals that is added to its variance in each class; for
        /// normal columns chosen by kind.
        pub var_smoothing: f64 = 1e-9, in 0.0..;
        /// Pseudo-count added to each category of a column, and pseudo-rows of mean counts; 0 for maximum
        /// likelihood.
        pub alpha: f64 = 1.0, in 0.0..;
    }
}

/// The entry of `naive-bayes`.
pub fn entry() -> ModelEntry {
    ModelEntry {
        name: NAME,
        about: "naive Bayes: independent columns given the class, each with a distribution of its kind or \
                the one of lowest AIC",
        paper: "Hastie, Tibshirani and Friedman 2009, section 6.6.3",
        tasks: TASKS,
        capabilities: CAPABILITIES,
        validation: &[],
        learning: Learning::Fit,
        kinds: KINDS,
        size: |table, data| NaiveBayesConfig::from_table(table)?.size(data),
        presets: &[],
        fields: NaiveBayesConfig::fields,
        train: |_| Table::new(),
        complete: |_, _| {},
        build: |table, data, _| NaiveBayesConfig::from_table(table)?.init(data),
    }
}

impl ModelConfig for NaiveBayesConfig {
    fn model_name(&self) -> &'static str {
        NAME
    }
}

/// The number of categories of a column, or none where it has a family.
fn categories(data: &DataSpec, column: usize) -> Option<usize> {
    data.kind(column).and_then(|kind| kind.max_level()).map(|top| top as usize + 1)
}

impl NaiveBayesConfig {
    /// Refuses what is out of range or does not suit the data; returns the parameters of a class.
    fn check(&self, data: &DataSpec) -> Result<usize> {
        self.check_values()?;
        data.check_kinds(NAME, KINDS)?;
        check_labels(NAME, data)?;
        let width = |column| categories(data, column).unwrap_or(MOST);
        let of_class = match &data.columns {
            Columns::Same(_) => product(&[product(data.shape.dims()), width(0)]),
            Columns::Each(kinds) => {
                (0..kinds.len()).fold(0usize, |sum, at| sum.saturating_add(width(at)))
            }
        };
        let all = product(&[of_class, data.classes]);
        if all > MOST_PARAMETERS {
            return Err(unsuitable(
                NAME,
                format!(
                    "{} classes of these columns have {all} probabilities, and it takes \
                     {MOST_PARAMETERS} at most",
                    data.classes
                ),
            ));
        }
        Ok(of_class)
    }

    fn size(&self, data: &DataSpec) -> Result<Size> {
        let (of_class, columns) = (self.check(data)?, product(data.shape.dims()));
        let all = product(&[of_class, data.classes]);
        let mut size = SizeBuilder::default();
        size.buffer(&[data.classes]);
        size.buffer(&[columns]);
        size.buffer(&[all]);
        // Columns of families by AIC are gathered and sorted.
        let rows = if self.columns == ChosenBy::Aic { product(&[columns, 4]) } else { 0 };
        size.kept((rows + all.div_ceil(BLOCK)) as u64);
        size.fixed(product(&[all, 2]) as u64);
        size.fixed(product(&[LISTED.min(all), ESTIMATE]) as u64);
        Ok(size.finish())
    }

    /// A model with equal classes of standard distributions.
    ///
    /// # Errors
    /// If a setting is out of range, or the data has no labels, one class or too many categories.
    pub fn init(&self, data: &DataSpec) -> Result<Box<dyn Model>> {
        let of_class = self.check(data)?;
        let mut starts = Vec::with_capacity(data.size() + 1);
        let mut theta = Vec::with_capacity(of_class);
        let mut families = Vec::with_capacity(data.size());
        for column in 0..data.size() {
            starts.push(theta.len());
            let count = data.kind(column) == Some(ColumnKind::Count);
            families.push(if count { POISSON } else { NORMAL });
            match categories(data, column) {
                Some(n) => theta.extend(std::iter::repeat_n(1.0 / n as f64, n)),
                None if count => theta.extend([1.0, 0.0, 0.0]),
                None => theta.extend([0.0, 1.0, 0.0]),
            }
        }
        starts.push(theta.len());
        let mut made = NaiveBayes {
            config: self.clone(),
            data: data.clone(),
            starts,
            priors: vec![1.0 / data.classes as f64; data.classes],
            families,
            theta: theta.repeat(data.classes),
            evaluated: Evaluated::default(),
        };
        made.evaluate()?;
        Ok(Box::new(Joint(made)))
    }
}

/// Naive Bayes.
struct NaiveBayes {
    config: NaiveBayesConfig,
    data: DataSpec,
    /// Where the parameters of each column begin, and where those of the last end.
    starts: Vec<usize>,
    /// `[classes]`.
    priors: Vec<f64>,
    /// The number of each column's family in [`STORED`], unless it has categories.
    families: Vec<usize>,
    /// `[classes, parameters]`: of a column the probabilities of its categories, or the parameters of its
    /// family.
    theta: Vec<f64>,
    evaluated: Evaluated,
}

/// What densities are computed from.
#[derive(Default)]
struct Evaluated {
    /// Columns with a normal distribution.
    normal: Vec<usize>,
    /// Their means `[classes, normal columns]`.
    mean: Vec<f64>,
    /// 1 / (σ √2).
    inverse: Vec<f64>,
    /// Σ −log(σ √2π) over them `[classes]`.
    constant: Vec<f64>,
    /// Columns with categories, where their parameters begin, and how many these are.
    categorical: Vec<(usize, usize, usize)>,
    /// ln p, in the order of `theta`.
    logs: Vec<f64>,
    /// The other columns with their families.
    other: Vec<(usize, Box<dyn Distribution>)>,
}

impl NaiveBayes {
    fn of_class(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The parameters of a column in a class.
    fn of(&self, class: usize, column: usize) -> &[f64] {
        let first = class * self.of_class();
        &self.theta[first + self.starts[column]..first + self.starts[column + 1]]
    }

    fn is_count(&self, column: usize) -> bool {
        self.data.kind(column) == Some(ColumnKind::Count)
    }

    /// The family of a column without categories.
    fn family(&self, column: usize) -> Result<Box<dyn Distribution>> {
        let name = STORED.get(self.families[column]);
        name.and_then(|name| by_name(name)).ok_or_else(|| {
            unsuitable(NAME, format!("it has no family number {}", self.families[column]))
        })
    }

    /// Computes what follows from the parameters.
    fn evaluate(&mut self) -> Result<()> {
        let mut found = Evaluated::default();
        for column in 0..self.data.size() {
            match categories(&self.data, column) {
                Some(n) => found.categorical.push((column, self.starts[column], n)),
                None if self.families[column] == NORMAL => found.normal.push(column),
                None => found.other.push((column, self.family(column)?)),
            }
        }
        let half_log_tau = 0.5 * (2.0 * std::f64::consts::PI).ln();
        for class in 0..self.priors.len() {
            let mut constant = 0.0;
            for &column in &found.normal {
                let of = self.of(class, column);
                found.mean.push(of[0]);
                found.inverse.push(std::f64::consts::FRAC_1_SQRT_2 / of[1]);
                constant -= of[1].ln() + half_log_tau;
            }
            found.constant.push(constant);
        }
        if !found.categorical.is_empty() {
            found.logs = self.theta.iter().map(|p| p.ln()).collect();
        }
        self.evaluated = found;
        Ok(())
    }

    /// log p(x_j | y).
    fn term(&self, class: usize, column: usize, x: f64) -> f64 {
        let of = self.of(class, column);
        if categories(&self.data, column).is_some() {
            return of.get(x as usize).map_or(f64::NEG_INFINITY, |p| p.ln());
        }
        match self.family(column) {
            Ok(family) => family.log_density(&of[..family.parameters().len()], x),
            Err(_) => f64::NAN,
        }
    }
}

/// Sums of examples by class.
struct Sums {
    counts: Vec<f64>,
    /// Of columns with categories, how often each occurs `[classes, parameters]`.
    tallies: Vec<f64>,
    /// The mean of each column with a family `[classes, columns]`.
    mean: Vec<f64>,
    /// Σ (x − mean)² in the class.
    squares: Vec<f64>,
    /// The first value that is none of its column.
    odd: Option<(u64, usize, f64)>,
}

impl Sums {
    /// Adds later examples, without cancellation (Chan, Golub and LeVeque 1983).
    fn merge(&mut self, later: Self) {
        self.odd = self.odd.or(later.odd);
        self.tallies.iter_mut().zip(&later.tallies).for_each(|(a, b)| *a += b);
        let columns = self.mean.len() / self.counts.len().max(1);
        for class in 0..self.counts.len() {
            let (n, more) = (self.counts[class], later.counts[class]);
            if more == 0.0 {
                continue;
            }
            let share = more / (n + more);
            for at in class * columns..(class + 1) * columns {
                let apart = later.mean[at] - self.mean[at];
                self.mean[at] += apart * share;
                self.squares[at] += later.squares[at] + apart * apart * n * share;
            }
            self.counts[class] = n + more;
        }
    }
}

impl NaiveBayes {
    fn sums(&self, examples: &Examples, context: &mut FitContext<'_>) -> Result<Sums> {
        let of = Labeled::new(NAME, &self.data);
        let (size, width) = (self.data.size(), self.of_class());
        let kinds: Vec<Option<usize>> = (0..size).map(|at| categories(&self.data, at)).collect();
        let counts: Vec<usize> = (0..size).filter(|&at| self.is_count(at)).collect();
        let families = kinds.iter().any(Option::is_none);
        let tallied = kinds.iter().any(Option::is_some);
        let moments = if families { of.classes * size } else { 0 };
        let empty = || Sums {
            counts: vec![0.0; of.classes],
            tallies: vec![0.0; if tallied { of.classes * width } else { 0 }],
            mean: vec![0.0; moments],
            squares: vec![0.0; moments],
            odd: None,
        };
        let add = |block: &Batch, sums: &mut Sums| {
            let labels = of.check(block)?;
            let rows = || block.values.chunks_exact(size).zip(labels.iter().map(|&l| l as usize));
            let mut own = empty();
            rows().for_each(|(_, class)| own.counts[class] += 1.0);
            if let (true, Some(origin)) = (families, block.values.get(..size)) {
                // About the first example, then about the means.
                for (row, class) in rows() {
                    let mean = &mut own.mean[class * size..][..size];
                    let apart = row.iter().zip(origin).map(|(x, origin)| x - origin);
                    mean.iter_mut().zip(apart).for_each(|(mean, apart)| *mean += apart);
                }
                for (mean, n) in own.mean.chunks_exact_mut(size).zip(&own.counts) {
                    let share = if *n > 0.0 { 1.0 / n } else { 0.0 };
                    let origins = mean.iter_mut().zip(origin);
                    origins.for_each(|(mean, origin)| *mean = origin + *mean * share);
                }
                for (row, class) in rows() {
                    let place = class * size..(class + 1) * size;
                    let squares = own.squares[place.clone()].iter_mut();
                    let apart = row.iter().zip(&own.mean[place]).map(|(x, mean)| x - mean);
                    squares.zip(apart).for_each(|(squares, apart)| *squares += apart * apart);
                }
            }
            for ((row, class), &index) in rows().zip(&block.indices) {
                for &column in &counts {
                    let x = row[column];
                    if x < 0.0 || x.fract() != 0.0 {
                        own.odd = own.odd.or(Some((index, column, x)));
                    }
                }
                if !tallied {
                    continue;
                }
                let tallies = &mut own.tallies[class * width..][..width];
                for (column, (&x, kind)) in row.iter().zip(&kinds).enumerate() {
                    let Some(n) = *kind else { continue };
                    let start = self.starts[column];
                    let place = tallies[start..start + n].get_mut(x as usize);
                    match place.filter(|_| x >= 0.0 && x.fract() == 0.0) {
                        Some(count) => *count += 1.0,
                        None => own.odd = own.odd.or(Some((index, column, x))),
                    }
                }
            }
            sums.merge(own);
            Ok(())
        };
        let progress = &mut *context.progress;
        let sums = block_sums(examples, context.stop, progress, empty, add, Sums::merge)?;
        match sums.odd {
            None => Ok(sums),
            Some((index, column, x)) => {
                let allowed = match kinds[column] {
                    Some(n) => format!("its categories are 0 to {}", n - 1),
                    None => "it holds counts".to_owned(),
                };
                let name = self.data.column_name(column);
                let problem = format!("column '{name}' of example {index} is {x}, and {allowed}");
                Err(unsuitable(NAME, problem))
            }
        }
    }

    /// Parameters by kind: the moments of reals and counts, the shares of categories.
    fn by_kind(&self, sums: &Sums) -> Result<Vec<f64>> {
        let (width, classes) = (self.of_class(), sums.counts.len());
        let total: f64 = sums.counts.iter().sum();
        let mut theta = self.theta.clone();
        for column in 0..self.data.size() {
            let start = self.starts[column];
            if let Some(n) = categories(&self.data, column) {
                for class in 0..classes {
                    let place = class * width + start..class * width + start + n;
                    let all = sums.counts[class] + self.config.alpha * n as f64;
                    let share = |count: &f64| match all > 0.0 {
                        true => (count + self.config.alpha) / all,
                        false => 1.0 / n as f64,
                    };
                    let shares: Vec<f64> = sums.tallies[place.clone()].iter().map(share).collect();
                    theta[place].copy_from_slice(&shares);
                }
                continue;
            }
            let size = self.data.size();
            let at = |class: usize, k: usize| match k {
                0 => sums.mean[class * size + column],
                _ => sums.squares[class * size + column],
            };
            let weighted = |f: &dyn Fn(usize) -> f64| -> f64 {
                (0..classes).map(|class| sums.counts[class] * f(class)).sum::<f64>() / total
            };
            let mean = weighted(&|class| at(class, 0));
            if self.is_count(column) {
                for class in 0..classes {
                    let (n, alpha) = (sums.counts[class], self.config.alpha);
                    let all = n + alpha;
                    let rate = (n * at(class, 0) + alpha * mean) / all;
                    theta[class * width + start] = if all > 0.0 { rate } else { mean };
                }
                continue;
            }
            let within: f64 = (0..classes).map(|class| at(class, 1)).sum::<f64>() / total;
            let between = weighted(&|class| (at(class, 0) - mean).powi(2));
            let added = self.config.var_smoothing * (within + between);
            for class in 0..classes {
                let n = sums.counts[class];
                let variance = if n > 0.0 { at(class, 1) / n + added } else { 1.0 };
                if variance <= 0.0 {
                    return Err(self.constant(column, class, within + between > 0.0));
                }
                theta[class * width + start] = at(class, 0);
                theta[class * width + start + 1] = variance.sqrt();
            }
        }
        Ok(theta)
    }

    /// The error for a column without variance.
    fn constant(&self, column: usize, class: usize, varies: bool) -> crate::Error {
        let name = self.data.column_name(column);
        let problem = match varies {
            true => format!(
                "column '{name}' is constant in class {}, and has no density there; set var_smoothing \
                 above 0",
                self.data.class_name(class)
            ),
            false => format!(
                "column '{name}' is constant in the training split, and has no density; leave it out"
            ),
        };
        unsuitable(NAME, problem)
    }

    /// Replaces the families of reals and counts by those of lowest AIC; returns notes on them.
    fn by_aic(
        &self,
        examples: &Examples,
        context: &mut FitContext<'_>,
        families: &mut [usize],
        theta: &mut [f64],
    ) -> Result<Vec<String>> {
        let width = self.of_class();
        let chosen: Vec<usize> =
            (0..self.data.size()).filter(|&at| categories(&self.data, at).is_none()).collect();
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let columns = columns_of(examples, self.data.size(), context)?;
        let labels = examples.labels().unwrap_or(&[]);
        let classes: Vec<u32> =
            (0..self.data.classes as u32).filter(|class| labels.contains(class)).collect();
        let options = FitOptions::default().without_intervals();
        let mut notes = Vec::new();
        for &column in &chosen {
            context.check_stop()?;
            let count = self.is_count(column);
            let rows = &columns[column];
            if rows.iter().all(|x| *x == rows[0]) {
                return Err(self.constant(column, 0, false));
            }
            let of = |class: &u32| {
                let pairs = rows.iter().zip(labels).filter(|(_, label)| *label == class);
                let values: Vec<f64> = pairs.map(|(x, _)| *x).collect();
                let n = values.len();
                let wrong = |e: crate::distributions::families::Error| {
                    let name = self.data.column_name(column);
                    unsuitable(NAME, format!("column '{name}': {e}"))
                };
                let ranking = rank(&Sample::new(values).map_err(wrong)?, &options);
                let mut fits = if count { ranking.masses } else { ranking.densities };
                // A limiting family is not stored.
                fits.retain(|fit| fit.parameters.iter().all(|parameter| parameter.is_finite()));
                Ok((n, fits))
            };
            let fits = classes.par_iter().map(of).collect::<Result<Vec<_>>>()?;
            // The families that every class has a fit of.
            let total = |name: &str| -> Option<f64> {
                let aic = |(_, fits): &(usize, Vec<crate::distributions::families::Fit>)| {
                    fits.iter().find(|fit| fit.family == name).map(|fit| fit.aic)
                };
                fits.iter().map(aic).sum()
            };
            let all = STORED.iter().enumerate().filter(|(_, name)| !ENDING.contains(name));
            let all = all.filter_map(|(at, name)| Some((at, total(name)?)));
            let Some((best, _)) = all.min_by(|a, b| a.1.total_cmp(&b.1)) else {
                let (few, _) = fits.iter().min_by_key(|(n, _)| *n).unwrap_or(&fits[0]);
                return Err(unsuitable(
                    NAME,
                    format!(
                        "column '{}' has no family that fits every class; the smallest has {few} \
                         examples; columns = 'kind' takes any",
                        self.data.column_name(column)
                    ),
                ));
            };
            families[column] = best;
            for (class, (_, fits)) in classes.iter().zip(&fits) {
                let fit = fits.iter().find(|fit| fit.family == STORED[best]);
                let place = *class as usize * width + self.starts[column];
                let to = &mut theta[place..place + MOST];
                to.fill(0.0);
                let parameters = fit.map_or(&[][..], |fit| &fit.parameters);
                to.iter_mut().zip(parameters).for_each(|(to, &from)| *to = from);
            }
            let absent = (0..self.data.classes).filter(|class| !labels.contains(&(*class as u32)));
            let like = classes.first().map_or(0, |class| *class as usize);
            for class in absent {
                let from = like * width + self.starts[column];
                theta.copy_within(from..from + MOST, class * width + self.starts[column]);
            }
            notes.push(format!("column '{}': {}", self.data.column_name(column), STORED[best]));
        }
        Ok(notes)
    }

    /// Estimates, as many as a report lists, and the number of free parameters.
    fn estimates(&self, counts: &[f64]) -> (Vec<Estimate>, usize) {
        let (mut found, mut free) = (Vec::new(), 0);
        for column in 0..self.data.size() {
            let name = self.data.column_name(column);
            let family = match categories(&self.data, column) {
                Some(_) => None,
                None => self.family(column).ok(),
            };
            for (class, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0.0) {
                let (of, class) = (self.of(class, column), self.data.class_name(class));
                match &family {
                    None => {
                        free += of.len() - 1;
                        for (category, &p) in of.iter().enumerate() {
                            if found.len() < LISTED {
                                let stderr = Some((p * (1.0 - p) / n).sqrt());
                                let name = format!("p[{name}, {category} | {class}]");
                                found.push(Estimate { name, value: p, stderr });
                            }
                        }
                    }
                    Some(family) => {
                        free += family.parameters().len();
                        let normal = family.name() == "normal";
                        for (at, parameter) in family.parameters().iter().enumerate() {
                            if found.len() < LISTED {
                                let stderr = match (normal, family.name(), at) {
                                    (true, _, 0) => Some(of[1] / n.sqrt()),
                                    (true, _, _) => Some(of[1] / (2.0 * n).sqrt()),
                                    (_, "poisson", _) => Some((of[0] / n).sqrt()),
                                    _ => None,
                                };
                                let name = format!("{}[{name} | {class}]", parameter.name);
                                found.push(Estimate { name, value: of[at], stderr });
                            }
                        }
                    }
                }
            }
        }
        (found, free)
    }
}

impl ClassConditional for NaiveBayes {
    const HAS_NOISE: bool = false;

    fn name(&self) -> &'static str {
        NAME
    }

    fn settings(&self) -> Table {
        self.config.to_table()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn priors(&self) -> &[f64] {
        &self.priors
    }

    fn tensors(&self) -> NamedTensors {
        let (classes, columns) = (self.priors.len(), self.families.len());
        // Files hold finite numbers: the largest stands for an infinite limit.
        let theta = self.theta.iter().map(|x| x.clamp(-f64::MAX, f64::MAX)).collect::<Vec<_>>();
        let families: Vec<f64> = self.families.iter().map(|&at| at as f64).collect();
        vec![
            ("model.prior".to_owned(), TensorData::new(self.priors.clone(), [classes])),
            ("model.family".to_owned(), TensorData::new(families, [columns])),
            ("model.theta".to_owned(), TensorData::new(theta, [classes, self.of_class()])),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let priors = take(NAME, tensors, "model.prior", self.priors.len())?;
        let families = take(NAME, tensors, "model.family", self.families.len())?;
        let theta = take(NAME, tensors, "model.theta", self.theta.len())?;
        if let Some(at) = families.iter().find(|&&at| at as usize >= STORED.len()) {
            return Err(unsuitable(NAME, format!("it has no family number {at}")));
        }
        let limit = |x: f64| if x.abs() == f64::MAX { x * f64::INFINITY } else { x };
        self.priors = priors;
        self.families = families.into_iter().map(|at| at as usize).collect();
        self.theta = theta.into_iter().map(limit).collect();
        self.evaluate()
    }

    fn log_densities(&self, rows: &[f64]) -> Vec<f64> {
        let (size, classes) = (self.data.size(), self.priors.len());
        let Evaluated { normal, mean, inverse, constant, categorical, logs, other } =
            &self.evaluated;
        let (width, normals) = (self.of_class(), normal.len());
        let mut found = Vec::with_capacity(rows.len() / size.max(1) * classes);
        let mut x = vec![0.0; normals];
        for row in rows.chunks_exact(size) {
            x.iter_mut().zip(normal).for_each(|(x, &column)| *x = row[column]);
            for class in 0..classes {
                if self.priors[class] == 0.0 {
                    found.push(f64::NEG_INFINITY);
                    continue;
                }
                let mut nats = constant[class];
                let place = class * normals..(class + 1) * normals;
                nats -= squares(&x, &mean[place.clone()], &inverse[place]);
                let of = &logs[(class * width).min(logs.len())..];
                for &(column, start, n) in categorical {
                    let at = row[column];
                    let known = at >= 0.0 && (at as usize) < n;
                    nats += if known { of[start + at as usize] } else { f64::NEG_INFINITY };
                }
                for (column, family) in other {
                    let theta = &self.of(class, *column)[..family.parameters().len()];
                    nats += family.log_density(theta, row[*column]);
                }
                found.push(nats);
            }
        }
        found
    }

    fn terms(&self, row: &[f64], class: usize) -> Option<Vec<f64>> {
        if self.priors.get(class).is_none_or(|p| *p == 0.0) {
            return None;
        }
        Some(row.iter().enumerate().map(|(column, &x)| self.term(class, column, x)).collect())
    }

    fn draw(&self, class: usize, _spread: f64, rng: &mut impl Rng, out: &mut Vec<f64>) {
        for column in 0..self.data.size() {
            let of = self.of(class, column);
            out.push(match (categories(&self.data, column), self.family(column)) {
                (Some(_), _) => chosen(of, open_uniform(rng)) as f64,
                (None, Ok(family)) => {
                    let theta = &of[..family.parameters().len()];
                    family.sample(theta, &mut || open_uniform(rng))
                }
                (None, Err(_)) => f64::NAN,
            });
        }
    }

    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        let mut notes = Vec::new();
        let sums = self.sums(examples, context)?;
        let priors = Labeled::new(NAME, &self.data).priors(&sums.counts, &mut notes)?;
        let has_reals =
            (0..self.data.size()).any(|at| self.data.kind(at) == Some(ColumnKind::Real));
        let single = sums.counts.iter().enumerate().filter(|(_, n)| **n == 1.0);
        let single: Vec<String> = single.map(|(class, _)| self.data.class_name(class)).collect();
        if has_reals && !single.is_empty() {
            notes.push(format!(
                "with one training example, so that its variances are no estimates but var_smoothing: class \
                 {}",
                single.join(", ")
            ));
        }
        let mut families = self.families.clone();
        let theta = match self.config.columns {
            ChosenBy::Kind => self.by_kind(&sums)?,
            ChosenBy::Aic => {
                // What has categories is counted; the others are replaced.
                let smoothed = NaiveBayesConfig { var_smoothing: 1.0, ..self.config.clone() };
                let counted = Self { config: smoothed, ..self.like() };
                let mut theta = counted.by_kind(&sums)?;
                notes.extend(self.by_aic(examples, context, &mut families, &mut theta)?);
                theta
            }
        };
        (self.priors, self.families, self.theta) = (priors, families, theta);
        self.evaluate()?;
        let mut estimates = Labeled::new(NAME, &self.data).prior_estimates(&sums.counts);
        let (of_columns, free) = self.estimates(&sums.counts);
        estimates.extend(of_columns);
        let present = sums.counts.iter().filter(|n| **n > 0.0).count();
        Ok(FitReport { estimates, notes, free: Some(present - 1 + free), ..FitReport::default() })
    }
}

impl NaiveBayes {
    /// A model of the same columns.
    fn like(&self) -> Self {
        Self {
            config: self.config.clone(),
            data: self.data.clone(),
            starts: self.starts.clone(),
            priors: self.priors.clone(),
            families: self.families.clone(),
            theta: self.theta.clone(),
            evaluated: Evaluated::default(),
        }
    }
}

/// Σ ((x − mean) · inverse)², in eight sums.
fn squares(x: &[f64], mean: &[f64], inverse: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let parts = x.chunks(8).zip(mean.chunks(8)).zip(inverse.chunks(8));
    for ((x, mean), inverse) in parts {
        for (sum, ((x, mean), inverse)) in sums.iter_mut().zip(x.iter().zip(mean).zip(inverse)) {
            let z = (x - mean) * inverse;
            *sum += z * z;
        }
    }
    sums.iter().sum()
}
