//! Log-probabilities and class probabilities of examples, per example or averaged.

use std::path::{Path, PathBuf};

use ancestral_data::{Binarize, Examples, Held, SplitName};
use serde::Serialize;

use super::config::RunConfig;
use super::loaded::{DataQuery, Run};
use super::session::Session;
use crate::distributions::fitted::{chosen, fitted_parameters};
use crate::evaluate::{
    self, BayesRule, Classification, Impossible, Likelihoods, NamedClassifier, Options, PixelCosts,
    terms_by_column,
};
use crate::model::{Capability, DensityKind, LogProbability};
use crate::{Error, Result};

/// Examples per batch.
const AT_ONCE: usize = 500;

/// One number, or one set of probabilities, for each example.
#[derive(Debug, Clone)]
pub enum Scores {
    /// For a model with a density.
    LogProbabilities(LogScores),
    /// For a classifier.
    Classes(ClassScores),
    /// For a classifier by Bayes' rule: log p(x), and the probabilities of classes.
    Joint(LogScores, ClassScores),
}

/// The log-probability of each example.
#[derive(Debug, Clone)]
pub struct LogScores {
    /// The examples that were scored.
    pub of: Scored,
    /// In nats, exact or a lower bound.
    pub nats: Vec<f64>,
    /// The Monte Carlo standard error of each; 0 for exact values.
    pub mc_stderr: Vec<f64>,
    /// "exact" or "bound".
    pub kind: &'static str,
    /// Importance samples per example; 0 where none are needed.
    pub samples: usize,
    /// Whether the values are log-probabilities; else log-densities in the units of the data.
    pub is_mass: bool,
    /// Their terms by column, if asked for.
    pub terms: Option<ColumnTerms>,
}

/// The terms of log-probabilities by column, which add up to them.
#[derive(Debug, Clone)]
pub struct ColumnTerms {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// Each column given those before it in the model's order, in nats; `[examples, columns]`, row after
    /// row.
    pub nats: Vec<f64>,
}

impl LogScores {
    /// Adds the scores of later examples.
    fn extend(&mut self, later: Self) {
        if let (Some(terms), Some(later)) = (&mut self.terms, later.terms) {
            terms.nats.extend(later.nats);
        }
        self.nats.extend(later.nats);
        self.mc_stderr.extend(later.mc_stderr);
    }

    /// The mean over examples.
    pub fn mean(&self) -> f64 {
        self.nats.iter().sum::<f64>() / self.nats.len() as f64
    }

    /// The numbers of the examples, the least probable first.
    pub fn by_rank(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nats.len()).collect();
        order.sort_by(|&a, &b| self.nats[a].total_cmp(&self.nats[b]));
        order
    }
}

/// The probabilities of classes for each example.
#[derive(Debug, Clone)]
pub struct ClassScores {
    /// The examples that were scored.
    pub of: Scored,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The most probable class of each example.
    pub most_probable: Vec<u32>,
    /// `[examples, classes]`, row after row.
    pub probabilities: Vec<f64>,
}

impl ClassScores {
    /// Adds the scores of later examples.
    fn extend(&mut self, later: Self) {
        self.most_probable.extend(later.most_probable);
        self.probabilities.extend(later.probabilities);
    }
}

/// The examples that were scored or evaluated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// The data's name.
    pub data: String,
    /// The split; `None` for all rows of a file.
    pub split: Option<&'static str>,
    /// How levels were binarized.
    pub binarize: &'static str,
    /// Examples.
    pub n: usize,
    /// What reading the data guessed or left out, one sentence each.
    #[serde(skip)]
    pub notes: Vec<String>,
}

impl Scored {
    fn with_notes(mut self, data: &ancestral_data::Dataset) -> Self {
        self.notes.clone_from(&data.notes);
        self
    }

    fn new(data: &str, examples: &Examples, split: Option<SplitName>) -> Self {
        Self {
            data: data.to_owned(),
            split: split.map(SplitName::as_str),
            binarize: examples.binarize().as_str(),
            n: examples.len(),
            notes: Vec::new(),
        }
    }
}

/// The evaluation of a model on a split.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The examples that it was evaluated on.
    pub of: Scored,
    /// The metrics.
    pub found: Measured,
}

/// The evaluation of a model.
#[derive(Debug, Clone)]
pub enum Measured {
    /// Its likelihood.
    Likelihoods(Box<Likelihoods>),
    /// Its accuracy and calibration.
    Classification(Box<Classification>),
    /// Both, of a classifier by Bayes' rule: the likelihood of the rows, whatever their class, and the
    /// accuracy and calibration.
    Joint(Box<Likelihoods>, Box<Classification>),
    /// Nothing: the model has no log-probability and is not a classifier.
    Nothing,
}

impl Session<'_> {
    /// The log-probability, or the probabilities of classes, of each example.
    ///
    /// # Errors
    /// If the model has neither, or the data is not found or does not fit the model.
    pub fn score(&mut self, run: &Run, query: &DataQuery, options: Options) -> Result<Scores> {
        let mut scores = None;
        let held = Held { entries: usize::MAX, folder: PathBuf::new() };
        let of = self.score_parts(run, query, options, &held, |part| {
            match (&mut scores, part) {
                (None, part) => scores = Some(part),
                (Some(Scores::LogProbabilities(all)), Scores::LogProbabilities(part)) => {
                    all.extend(part);
                }
                (Some(Scores::Classes(all)), Scores::Classes(part)) => {
                    all.extend(part);
                }
                (Some(Scores::Joint(logs, classes)), Scores::Joint(part, of_classes)) => {
                    logs.extend(part);
                    classes.extend(of_classes);
                }
                // All parts are of one kind.
                _ => {}
            }
            Ok(())
        })?;
        match scores {
            Some(mut scores) => {
                match &mut scores {
                    Scores::LogProbabilities(all) => all.of = of,
                    Scores::Classes(all) => all.of = of,
                    Scores::Joint(logs, classes) => {
                        logs.of = of.clone();
                        classes.of = of;
                    }
                }
                Ok(scores)
            }
            // Data without examples is refused.
            None => Err(self.no_scores(run)),
        }
    }

    /// The scores of one part of the examples after another, in order.
    pub(super) fn score_parts(
        &mut self,
        run: &Run,
        query: &DataQuery,
        options: Options,
        held: &Held,
        mut each: impl FnMut(Scores) -> Result<()>,
    ) -> Result<Scored> {
        let model = run.model();
        if model.density().is_none() && model.classifier().is_none() {
            return Err(self.no_scores(run));
        }
        if let Some((of, rows)) = censored_scores(run, query, self.data_dir())? {
            let nats: Vec<f64> = rows.iter().map(|(nats, _)| *nats).collect();
            let mc_stderr = vec![0.0; nats.len()];
            let is_mass = model.density().is_some_and(|density| density.is_mass(model.data()));
            let (kind, samples) = ("exact", 0);
            let of_part = of.clone();
            let terms = None;
            let scores = LogScores { of: of_part, nats, mc_stderr, kind, samples, is_mass, terms };
            each(Scores::LogProbabilities(scores))?;
            return Ok(of);
        }
        let kind = model.density().map(|density| density.kind(options.samples));
        let batch = kind.map_or(AT_ONCE, evaluate::examples_at_once);
        let mut parts = run.query_in_parts(query, self.data_dir(), held)?;
        let n = parts.len();
        let what = if kind.is_some() { "scoring" } else { "classifying" };
        let mut next = parts.next(batch, held.entries)?;
        // Data without examples is refused.
        let Some((examples, data)) = &next else { return Err(self.no_scores(run)) };
        self.tell_notes(&data.notes)?;
        let first = Scored::new(&data.name, examples, query.split).with_notes(data);
        let mut of = Scored { n, ..first };
        let impossible = self.working(what, n, |progress| {
            let (mut impossible, mut done) = (false, 0);
            while let Some((examples, data)) = next.take() {
                drop(data);
                let part = Scored { n: examples.len(), ..of.clone() };
                let progress = &mut |i| progress(done + i);
                let rows = evaluate::rows_of(model, &examples);
                let scores = match (kind, model.classifier()) {
                    (None, _) => Scores::Classes(classify(run, part, &examples, progress)?),
                    (Some(kind), None) => Scores::LogProbabilities(log_scores(
                        run, part, &rows, options, kind, progress,
                    )?),
                    (Some(kind), Some(_)) => {
                        let logs = log_scores(run, part.clone(), &rows, options, kind, progress)?;
                        Scores::Joint(logs, classify(run, part, &examples, progress)?)
                    }
                };
                done += examples.len();
                drop((examples, rows));
                if let Scores::LogProbabilities(scores) | Scores::Joint(scores, _) = &scores {
                    impossible |= scores.nats.contains(&f64::NEG_INFINITY);
                }
                each(scores)?;
                next = parts.next(batch, held.entries)?;
            }
            Ok(impossible)
        })?;
        if impossible {
            let mut found = Impossible::default();
            parts.restart();
            while let Some((examples, _)) = parts.next(batch, held.entries)? {
                found.add(model, &evaluate::rows_of(model, &examples), options)?;
            }
            if let Some(note) = found.sentence(model) {
                self.tell_notes(std::slice::from_ref(&note))?;
                of.notes.push(note);
            }
        }
        Ok(of)
    }

    /// Evaluates a model on a split: its likelihood, or the accuracy and calibration of a
    /// classifier.
    ///
    /// # Errors
    /// If the data is not found or does not fit the model.
    pub fn evaluate(
        &mut self,
        run: &Run,
        query: &DataQuery,
        options: Options,
    ) -> Result<Evaluation> {
        let model = run.model();
        let split = query.split.unwrap_or(SplitName::Test);
        let query = DataQuery { split: Some(split), ..query.clone() };
        if let Some((of, rows)) = censored_scores(run, &query, self.data_dir())? {
            let found = weighted_likelihoods(run, &rows);
            return Ok(Evaluation { of, found: Measured::Likelihoods(Box::new(found)) });
        }
        let (mut examples, data) = run.query(&query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let of = Scored::new(&data.name, &examples, Some(split)).with_notes(&data);
        // Other data has no training split of the run.
        let train = match query.data.is_none() && run.is_standardizable() {
            true => {
                let binarize = run.config.data.binarize.parse()?;
                Some(Examples::new(&data, SplitName::Train, binarize, run.config.seed)?)
            }
            false => None,
        };
        if model.classifier().is_some() && query.data.is_some() && data.classes() > 0 {
            // Other data may number its classes differently.
            let (n, binarize) = (examples.len(), examples.binarize());
            let split = if data.split(split).is_ok() { split } else { SplitName::Train };
            let data = run.config.data.relabel(data)?;
            examples = Examples::new(&data, split, binarize, run.config.seed)?.first(n);
        }
        let found = self.measure(run, &examples, options, "evaluating", train.as_ref())?;
        Ok(Evaluation { of, found })
    }

    /// The metrics of a model on examples; `train` standardizes the value of a density.
    pub(super) fn measure(
        &mut self,
        run: &Run,
        examples: &Examples,
        options: Options,
        what: &str,
        train: Option<&Examples>,
    ) -> Result<Measured> {
        let model = run.model();
        let mut likelihoods = None;
        if model.density().is_some() {
            let mut found = self.likelihoods(run, examples, options, what)?;
            if let Some(train) = train.filter(|_| run.is_standardizable()) {
                found.standardize(train);
            }
            likelihoods = Some(Box::new(found));
        }
        // A density of rows needs no labels.
        let classifies =
            model.classifier().is_some() && (likelihoods.is_none() || examples.labels().is_some());
        Ok(match (likelihoods, classifies) {
            (None, false) => Measured::Nothing,
            (Some(found), false) => Measured::Likelihoods(found),
            (found, true) => {
                let classes = Box::new(self.classification(run, examples)?);
                match found {
                    None => Measured::Classification(classes),
                    Some(found) => Measured::Joint(found, classes),
                }
            }
        })
    }

    /// The cost of each pixel of the images of a split.
    ///
    /// # Errors
    /// If the data is not found, does not fit the model or has no images, or the model's log-probability is
    /// not a sum of probabilities of pixels.
    pub fn pixel_costs(&mut self, run: &Run, query: &DataQuery) -> Result<PixelCosts> {
        let split = query.split.unwrap_or(SplitName::Test);
        let query = DataQuery { split: Some(split), ..query.clone() };
        let (examples, data) = run.query(&query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        self.working("measuring the cost of each pixel", examples.len(), |progress| {
            evaluate::pixel_costs(run.model(), &examples, progress)
        })
    }

    /// Classifies a split by Bayes' rule over a class-conditional density.
    ///
    /// # Errors
    /// If the model is not such a density, or the data is not found, does not fit the model or has
    /// no labels.
    pub fn bayes_rule(
        &mut self,
        run: &Run,
        query: &DataQuery,
        options: Options,
    ) -> Result<(Scored, BayesRule)> {
        let split = query.split.unwrap_or(SplitName::Test);
        let query = DataQuery { split: Some(split), ..query.clone() };
        let (examples, data) = run.query(&query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let of = Scored::new(&data.name, &examples, Some(split)).with_notes(&data);
        let found = self.working("classifying", examples.len(), |progress| {
            evaluate::bayes_rule(run.model(), &examples, options, progress)
        })?;
        Ok((of, found))
    }

    fn no_scores(&self, run: &Run) -> Error {
        let scores = |can| {
            matches!(
                can,
                Capability::ExactDensity
                    | Capability::EnsembleDensity(_)
                    | Capability::TargetDensity
                    | Capability::DensityBound
                    | Capability::Classes
            )
        };
        self.lacks(run, "has no log-probability and cannot score examples", &scores)
    }

    /// The accuracy and calibration of a classifier on labeled examples.
    pub(super) fn classification(
        &mut self,
        run: &Run,
        examples: &Examples,
    ) -> Result<Classification> {
        let network = NamedClassifier::new(run.model().name(), run.model())?;
        self.working("classifying", examples.len(), |progress| {
            evaluate::classification(&network, examples, progress)
        })
    }
}

/// The log-probability and the weight of each censored row.
type CensoredScores = (Scored, Vec<(f64, f64)>);

/// The scores of censored rows: of the run's own data, or of other data with
/// the same columns; `None` where rows are values.
fn censored_scores(
    run: &Run,
    query: &DataQuery,
    data_dir: Option<&Path>,
) -> Result<Option<CensoredScores>> {
    let RunConfig { data, model, settings, seed, .. } = &run.config;
    let train = matches!(query.split, None | Some(SplitName::Train));
    if data.censored.is_empty() || query.data.is_none() && !train {
        return Ok(None);
    }
    let place = query.data.clone().unwrap_or_else(|| data.place());
    let Some(rows) = data.censored_rows(&place, data_dir, *seed)? else { return Ok(None) };
    let Some(chosen) = chosen(model, settings)? else { return Ok(None) };
    let theta = fitted_parameters(&run.model().tensors());
    let mut found = rows.log_probabilities(chosen.family.as_ref(), &theta);
    found.truncate(query.limit.unwrap_or(usize::MAX));
    let of = Scored {
        data: place,
        split: query.split.map(SplitName::as_str),
        binarize: Binarize::None.as_str(),
        n: found.len(),
        notes: Vec::new(),
    };
    Ok(Some((of, found)))
}

/// The likelihood of weighted rows.
fn weighted_likelihoods(run: &Run, rows: &[(f64, f64)]) -> Likelihoods {
    let total: f64 = rows.iter().map(|(_, w)| w).sum();
    let mean = rows.iter().map(|(x, w)| w * x).sum::<f64>() / total;
    let squares: f64 = rows.iter().map(|(x, w)| w * (x - mean).powi(2)).sum();
    let model = run.model();
    let mass = model.density().is_some_and(|density| density.is_mass(model.data()));
    Likelihoods {
        kind: "exact",
        samples: 0,
        members: 1,
        curve: Vec::new(),
        n: rows.len(),
        nll_nats: -mean,
        nll_stderr: (squares / total).sqrt() / (total - 1.0).max(1.0).sqrt(),
        mc_stderr: 0.0,
        effective_samples: None,
        heavy_tails: None,
        nll_standardized: None,
        measure: if mass { "mass" } else { "density" },
        bits_per_dim: mass.then(|| -mean / std::f64::consts::LN_2),
        elbo: None,
        seconds: 0.0,
    }
}

fn log_scores(
    run: &Run,
    of: Scored,
    examples: &Examples,
    options: Options,
    kind: DensityKind,
    progress: &mut dyn FnMut(usize),
) -> Result<LogScores> {
    let model = run.model();
    let LogProbability { nats, monte_carlo } =
        evaluate::log_probabilities(model, examples, options, progress)?;
    let mc_stderr = match monte_carlo {
        Some(found) => found.into_iter().map(|found| found.stderr).collect(),
        None => vec![0.0; nats.len()],
    };
    let (kind, samples) = match kind {
        DensityKind::Exact => ("exact", 0),
        DensityKind::LowerBound { samples } => ("bound", samples),
    };
    let is_mass = model.density().is_some_and(|density| density.is_mass(model.data()));
    let terms = match options.columns {
        false => None,
        true => {
            let columns = (0..model.data().size()).map(|c| model.data().column_name(c)).collect();
            let nats = terms_by_column(model, examples, options.members, &mut |_| {})?;
            Some(ColumnTerms { columns, nats })
        }
    };
    Ok(LogScores { of, nats, mc_stderr, kind, samples, is_mass, terms })
}

fn classify(
    run: &Run,
    of: Scored,
    examples: &Examples,
    progress: &mut dyn FnMut(usize),
) -> Result<ClassScores> {
    let network = NamedClassifier::new(run.model().name(), run.model())?;
    let mut probabilities = Vec::new();
    for (i, chunk) in examples.indices().chunks(AT_ONCE).enumerate() {
        let found = network.classify_examples(examples, chunk, &mut |_| {})?;
        probabilities.extend(found.probabilities);
        progress(i * AT_ONCE + chunk.len());
    }
    let known = &run.config.data.class_names;
    let name = |class: usize| known.get(class).cloned().unwrap_or_else(|| class.to_string());
    let classes: Vec<String> = (0..network.classes()).map(name).collect();
    let most_probable = evaluate::most_probable(&probabilities, classes.len())?;
    Ok(ClassScores { of, classes, most_probable, probabilities })
}
