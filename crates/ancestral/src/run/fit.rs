//! Models that are fitted in one call.

use std::collections::BTreeMap;

use ancestral_data::{Binarize, Dataset, Examples, SplitName, Streams};

use super::config::RunResult;
use super::folder::write_config;
use super::loaded::Run;
use super::score::Measured;
use super::session::Session;
use super::spec::{ResolvedRun, RunSpec};
use crate::evaluate::Options;
use crate::model::{Criteria, FitContext, FitReport, Init, Learning, Task};
use crate::train::WeightsInfo;
use crate::{Error, Result};

/// Parts of the progress of a fit.
const STEPS: usize = 100;

/// The result of a fit.
pub struct Fit {
    /// The model.
    pub run: Run,
    /// Estimates with standard errors, and the course of the fit.
    pub report: FitReport,
    /// The evaluation on each split.
    pub splits: Vec<Fitted>,
}

impl Fit {
    /// The log-likelihood of the training split with the criteria that follow, of a density for each
    /// class that of the rows and their classes; `None` for other classifiers.
    pub fn criteria(&self) -> Option<Criteria> {
        let (n, nll_nats) = match &self.splits.first()?.found {
            Measured::Likelihoods(train) => (train.n as f64, train.nll_nats),
            Measured::Joint(train, classes) => (train.n as f64, train.nll_nats + classes.class_nll),
            Measured::Classification(_) | Measured::Nothing => return None,
        };
        let free = self.report.free.unwrap_or(self.report.estimates.len());
        Some(Criteria::new(-nll_nats * n, n, free))
    }
}

/// The evaluation of a fitted model on a split.
pub struct Fitted {
    /// The split.
    pub split: SplitName,
    /// How it was binarized.
    pub binarize: &'static str,
    /// The result.
    pub found: Measured,
}

/// The name of an estimate with the word of a category in the place of its number, as in `p[column, 3]`,
/// `p[column, 3 | class]`, `weight[column=3]` and `weight[class, column=3]`; `None` for other names.
fn with_words(name: &str, categories: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let one = |column: &String, at: usize, word: &String| {
        if let Some(rest) = name.strip_prefix(&format!("p[{column}, {at}"))
            && (rest == "]" || rest.starts_with(" | "))
        {
            return Some(format!("p[{column}, {word}{rest}"));
        }
        let start = name.strip_suffix(&format!("{column}={at}]"))?;
        (start.ends_with('[') || start.ends_with(", ")).then(|| format!("{start}{column}={word}]"))
    };
    let words = |(column, words): (&String, &Vec<String>)| {
        words.iter().enumerate().find_map(|(at, word)| one(column, at, word))
    };
    categories.iter().find_map(words)
}

/// Keeps the evaluation of a fitted run in its folder, for lists of runs; `train` is the negative
/// log-likelihood in nats and the number of training rows that were not held.
pub(super) fn keep_result(
    run: &mut Run,
    splits: &[Fitted],
    train: Option<(f64, u64)>,
) -> Result<()> {
    let mut result = RunResult { finished: true, ..RunResult::default() };
    (result.train_nll_nats, result.train_n) = train.unzip();
    for Fitted { split, found, .. } in splits {
        let (Measured::Likelihoods(found) | Measured::Joint(found, _)) = found else { continue };
        let kept = (Some(found.nll_nats), Some(found.n as u64));
        match split {
            SplitName::Train => (result.train_nll_nats, result.train_n) = kept,
            _ => (result.test_nll_nats, result.test_n) = kept,
        }
    }
    if result.train_n.or(result.test_n).is_some() {
        run.config.result = Some(result);
        if let Some(path) = &run.path {
            write_config(path, &run.config)?;
        }
    }
    Ok(())
}

impl Session<'_> {
    /// Fits a model in one call and evaluates it on the training split and, unless `skip_test` is set,
    /// on the test split.
    ///
    /// # Errors
    /// If the data does not suit the model, the model is trained by gradient steps, or the fit fails.
    pub fn fit(&mut self, spec: &RunSpec) -> Result<Fit> {
        spec.storage.check()?;
        let ResolvedRun { config, data } =
            spec.resolve(&self.registry, self.data_dir(), &self.device)?;
        let entry = self.registry.find(&config.model)?;
        if entry.learning == Learning::GradientSteps {
            return Err(Error::OtherLearning { model: config.model, fitted: false });
        }
        if entry.tasks == [Task::Clustering] {
            let problem = "finds clusters, and no likelihood".to_owned();
            return Err(Error::Unsupported { model: config.model, problem });
        }
        self.tell_notes(&data.notes)?;
        let (seed, binarize) = (config.seed, config.data.binarize.parse::<Binarize>()?);
        let train = Examples::new(&data, SplitName::Train, binarize, seed)?;
        let init = Init::new(&self.device, seed);
        let data_spec = config.data.spec()?;
        let mut model = self.registry.build(&config.model, &config.settings, &data_spec, &init)?;
        let never = std::sync::atomic::AtomicBool::new(false);
        let stop = self.stop.unwrap_or(&never);
        let mut report = self.working("fitting", STEPS, |progress| {
            let name = model.name().to_owned();
            let estimator =
                model.estimator().ok_or(Error::OtherLearning { model: name, fitted: false })?;
            let mut context = FitContext {
                streams: Streams::new(seed),
                progress: &mut |share| progress((share * STEPS as f64) as usize),
                stop,
            };
            estimator.fit(&train, &mut context)
        })?;
        // Categories have the words of the data.
        let coefficients = report.regression.iter_mut().flat_map(|found| &mut found.coefficients);
        let names = report.estimates.iter_mut().map(|estimate| &mut estimate.name);
        for name in names.chain(coefficients.map(|found| &mut found.name)) {
            if let Some(worded) = with_words(name, &config.data.categories) {
                *name = worded;
            }
        }
        let info = WeightsInfo::default();
        let folder = spec.storage.create(&config, Some((&model.tensors(), info)))?;
        let path = folder.map(|folder| folder.path().to_owned());
        let mut run = Run { config, model, info, path, data: Some(data.clone()) };
        let splits = self.evaluate_fit(&run, &data, binarize, spec.skip_test)?;
        keep_result(&mut run, &splits, None)?;
        Ok(Fit { run, report, splits })
    }

    /// The evaluation of a fitted model on the training split and, unless it is skipped or there is
    /// none, on the test split.
    ///
    /// # Errors
    /// If an example does not fit the model.
    pub(super) fn evaluate_fit(
        &mut self,
        run: &Run,
        data: &Dataset,
        binarize: Binarize,
        skip_test: bool,
    ) -> Result<Vec<Fitted>> {
        let seed = run.config.seed;
        let train = Examples::new(data, SplitName::Train, binarize, seed)?;
        let mut splits = Vec::new();
        for split in [SplitName::Train, SplitName::Test] {
            if split == SplitName::Test && (skip_test || data.len(split) == 0) {
                continue;
            }
            let examples = Examples::new(data, split, binarize, seed)?;
            let binarize = examples.binarize().as_str();
            let name = split.as_str();
            let found = self.measure(run, &examples, Options::default(), name, Some(&train))?;
            splits.push(Fitted { split, binarize, found });
        }
        Ok(splits)
    }
}
