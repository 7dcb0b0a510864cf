//! Log-probabilities and class probabilities of examples, per example or averaged.

use std::path::PathBuf;

use ancestral_data::{Examples, Held, SplitName};
use serde::Serialize;

use super::loaded::{DataQuery, Run};
use super::session::Session;
use crate::evaluate::{
    self, BayesRule, Classification, Impossible, Likelihoods, NamedClassifier, Options, PixelCosts,
};
use crate::model::{Capability, DensityKind};
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
}

impl LogScores {
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
                    all.nats.extend(part.nats);
                    all.mc_stderr.extend(part.mc_stderr);
                }
                (Some(Scores::Classes(all)), Scores::Classes(part)) => {
                    all.most_probable.extend(part.most_probable);
                    all.probabilities.extend(part.probabilities);
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
                let scores = match kind {
                    Some(kind) => log_scores(run, part, &examples, options, kind, progress)?,
                    None => classify(run, part, &examples, progress)?,
                };
                done += examples.len();
                drop(examples);
                if let Scores::LogProbabilities(scores) = &scores {
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
                found.add(model, &examples, options)?;
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
        let (mut examples, data) = run.query(&query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let of = Scored::new(&data.name, &examples, Some(split)).with_notes(&data);
        let found = if model.classifier().is_some() {
            if query.data.is_some() {
                // Other data may number its classes differently.
                let (n, binarize) = (examples.len(), examples.binarize());
                let split = if data.split(split).is_ok() { split } else { SplitName::Train };
                let data = run.config.data.relabel(data)?;
                examples = Examples::new(&data, split, binarize, run.config.seed)?.first(n);
            }
            Measured::Classification(Box::new(self.classification(run, &examples)?))
        } else if model.density().is_some() {
            let mut found = self.likelihoods(run, &examples, options, "evaluating")?;
            // Other data has no training split of the run.
            if query.data.is_none() && run.is_standardizable() {
                let binarize = run.config.data.binarize.parse()?;
                let train = Examples::new(&data, SplitName::Train, binarize, run.config.seed)?;
                found.standardize(&train);
            }
            Measured::Likelihoods(Box::new(found))
        } else {
            Measured::Nothing
        };
        Ok(Evaluation { of, found })
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

fn log_scores(
    run: &Run,
    of: Scored,
    examples: &Examples,
    options: Options,
    kind: DensityKind,
    progress: &mut dyn FnMut(usize),
) -> Result<Scores> {
    let model = run.model();
    let (nats, mc_stderr) = evaluate::log_probabilities(model, examples, options, progress)?;
    let (kind, samples) = match kind {
        DensityKind::Exact => ("exact", 0),
        DensityKind::LowerBound { samples } => ("bound", samples),
    };
    let is_mass = model.density().is_some_and(|density| density.is_mass(model.data()));
    Ok(Scores::LogProbabilities(LogScores { of, nats, mc_stderr, kind, samples, is_mass }))
}

fn classify(
    run: &Run,
    of: Scored,
    examples: &Examples,
    progress: &mut dyn FnMut(usize),
) -> Result<Scores> {
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
    Ok(Scores::Classes(ClassScores { of, classes, most_probable, probabilities }))
}
