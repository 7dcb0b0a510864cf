//! Models that are fitted in one call.

use ancestral_data::{Binarize, Dataset, Examples, SplitName, Streams};

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
    /// The log-likelihood of the training split with the criteria that follow; `None` for classifiers.
    pub fn criteria(&self) -> Option<Criteria> {
        let Measured::Likelihoods(train) = &self.splits.first()?.found else { return None };
        let (n, free) = (train.n as f64, self.report.free.unwrap_or(self.report.estimates.len()));
        Some(Criteria::new(-train.nll_nats * n, n, free))
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
        for estimate in &mut report.estimates {
            for (column, words) in &config.data.categories {
                let place = |at: &usize| estimate.name == format!("p[{column}, {at}]");
                if let Some(at) = (0..words.len()).find(place) {
                    estimate.name = format!("p[{column}, {}]", words[at]);
                    break;
                }
            }
        }
        let info = WeightsInfo::default();
        let folder = spec.storage.create(&config, Some((&model.tensors(), info)))?;
        let path = folder.map(|folder| folder.path().to_owned());
        let run = Run { config, model, info, path, data: Some(data.clone()) };
        let splits = self.evaluate_fit(&run, &data, binarize, spec.skip_test)?;
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
            let model = run.model();
            let found = if model.density().is_none() && model.classifier().is_some() {
                Measured::Classification(Box::new(self.classification(run, &examples)?))
            } else {
                let name = split.as_str();
                let mut found = self.likelihoods(run, &examples, Options::default(), name)?;
                if run.is_standardizable() {
                    found.standardize(&train);
                }
                Measured::Likelihoods(Box::new(found))
            };
            splits.push(Fitted { split, binarize, found });
        }
        Ok(splits)
    }
}
