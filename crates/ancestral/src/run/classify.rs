//! Classification by Bayes' rule: over several densities, each trained on one class, over one density that
//! is conditional on classes, or by a classifier.

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

use ancestral_data::{CsvWriter, Dataset, Examples, SplitName, csv_cell};

use super::loaded::{DataQuery, Run};
use super::score::Scored;
use super::session::Session;
use crate::distributions::log_sum_exp;
use crate::evaluate::{
    self, ByClass, Classification, NamedClassifier, Options, by_class, classification_of,
    confusion, log_densities_by_class, most_probable, wilson,
};
use crate::model::DensityKind;
use crate::{Error, Result};

/// Examples per batch.
const AT_ONCE: usize = 500;

/// The class probabilities before an example is seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Priors {
    /// The shares of the classes in training: of rows of each run, or of labels.
    #[default]
    Training,
    /// The same for every class.
    Equal,
    /// Given numbers in proportion, in the order of classes, or each with the name of its class.
    Given(Vec<(Option<String>, f64)>),
}

/// A request for classes.
#[derive(Debug, Clone, Default)]
pub struct ClassifySpec {
    /// The examples.
    pub query: DataQuery,
    /// The class of each run, of several; if empty, that of its training data, else the name of its
    /// folder.
    pub classes: Vec<String>,
    /// The class probabilities.
    pub priors: Priors,
    /// Of bounds and ensembles.
    pub options: Options,
}

/// What decided the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// Bayes' rule over exact densities.
    Exact,
    /// Bayes' rule over lower bounds, whose gaps may differ between classes.
    Bound,
    /// A classifier's own probabilities.
    Classifier,
}

impl DecidedBy {
    /// The name, as printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Bound => "bound",
            Self::Classifier => "classifier",
        }
    }
}

/// The metrics of predicted classes.
#[derive(Debug, Clone)]
pub struct ClassReport {
    /// Accuracy, log-loss, Brier score and calibration.
    pub classification: Classification,
    /// The interval of the accuracy, Wilson's at 95 %.
    pub accuracy_interval: (f64, f64),
    /// Counts of true (rows) and predicted classes, `[classes, classes]`.
    pub confusion: Vec<u64>,
    /// Precision, recall and areas of each class, and averages.
    pub by_class: ByClass,
}

/// Classes of examples.
#[derive(Debug, Clone)]
pub struct ClassifiedRows {
    /// The examples.
    pub of: Scored,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The class probabilities before an example is seen; none of a classifier with its own.
    pub priors: Option<Vec<f64>>,
    /// What decided.
    pub decided_by: DecidedBy,
    /// `[examples, classes]`.
    pub probabilities: Vec<f64>,
    /// The most probable class of each example.
    pub predicted: Vec<u32>,
    /// The class of each example, if the data has labels.
    pub labels: Option<Vec<u32>>,
    /// log p(x) = log Σ p(x | class) p(class) in nats, of densities.
    pub log_probabilities: Option<Vec<f64>>,
    /// The metrics, if the data has labels.
    pub report: Option<ClassReport>,
}

impl ClassifiedRows {
    /// How many rows are predicted to be of each class.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.predicted.iter().for_each(|&class| counts[class as usize] += 1);
        counts
    }

    /// Writes a row for each example: its number, its class if known, the predicted one, the probability
    /// of each class, and log p(x) of densities.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, out: &Path) -> Result<()> {
        let label = self.labels.as_ref().map(|_| "label".to_owned());
        let logs = self.log_probabilities.as_ref().map(|_| "log_probability".to_owned());
        let names = self.classes.iter().map(|class| format!("p_{class}"));
        let mut header = vec!["row".to_owned()];
        header.extend(label);
        header.push("class".to_owned());
        header.extend(names);
        header.extend(logs);
        let mut writer = CsvWriter::create(out, &header)?;
        let name = |class: u32| csv_cell(self.classes.get(class as usize).map_or("", |name| name));
        let mut text = String::new();
        let rows = self.probabilities.chunks_exact(self.classes.len().max(1));
        for (i, (p, &class)) in rows.zip(&self.predicted).enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{i}");
            if let Some(&label) = self.labels.as_ref().and_then(|labels| labels.get(i)) {
                let _ = write!(text, ",{}", name(label));
            }
            let _ = write!(text, ",{}", name(class));
            for p in p {
                let _ = write!(text, ",{p}");
            }
            if let Some(nats) = self.log_probabilities.as_ref().and_then(|nats| nats.get(i)) {
                let _ = write!(text, ",{nats}");
            }
            text.push('\n');
            if text.len() > 1 << 16 {
                writer.text(&text)?;
                text.clear();
            }
        }
        writer.text(&text)?;
        Ok(writer.finish()?)
    }

    /// The examples of lowest log p(x), at most five: rows that are like no class.
    pub fn lowest(&self) -> Vec<usize> {
        let Some(nats) = &self.log_probabilities else { return Vec::new() };
        let mut order: Vec<usize> = (0..nats.len()).collect();
        order.sort_by(|&a, &b| nats[a].total_cmp(&nats[b]).then(a.cmp(&b)));
        order.truncate(5);
        order
    }
}

/// Evidence for the classes of examples.
struct Evidence {
    of: Scored,
    classes: Vec<String>,
    /// log p(x | class) `[examples, classes]`, or of a classifier log p(class | x).
    logs: Vec<f64>,
    decided_by: DecidedBy,
    labels: Option<Vec<u32>>,
}

impl Session<'_> {
    /// Classifies the rows of data by the runs: Bayes' rule over a density of each class, over one
    /// that is conditional on classes, or a classifier.
    ///
    /// # Errors
    /// If the runs are no such models, their classes are not known or not those of the data, or the data
    /// is not found or does not fit them.
    pub fn classify(&mut self, runs: &[Run], spec: &ClassifySpec) -> Result<ClassifiedRows> {
        let began = Instant::now();
        let evidence = match runs {
            [] => return Err(Error::setting("runs", 0, "give a run, or one for each class")),
            [run] => self.evidence_of_one(run, spec)?,
            runs => self.evidence_of_classes(runs, spec)?,
        };
        let Evidence { of, classes, mut logs, decided_by, labels } = evidence;
        let count = classes.len();
        let own = decided_by == DecidedBy::Classifier;
        let priors = match (own, &spec.priors) {
            // Its probabilities have those of training in them.
            (true, Priors::Training) => None,
            (_, asked) => Some(self.priors(runs, &classes, asked)?),
        };
        if let Some(priors) = &priors {
            let before = match own {
                true => self.priors(runs, &classes, &Priors::Training)?,
                false => vec![1.0; count],
            };
            let shift: Vec<f64> =
                priors.iter().zip(&before).map(|(p, before)| p.ln() - before.ln()).collect();
            for row in logs.chunks_exact_mut(count) {
                row.iter_mut().zip(&shift).for_each(|(log, shift)| {
                    // A class without training examples stays impossible.
                    *log = if *log == f64::NEG_INFINITY { *log } else { *log + shift };
                });
            }
        }
        let mut totals = Vec::with_capacity(of.n);
        let mut probabilities = logs;
        for row in probabilities.chunks_exact_mut(count) {
            let total = log_sum_exp(row);
            totals.push(total);
            match (total == f64::NEG_INFINITY, &priors) {
                // Like no class: nothing is learned from it.
                (true, Some(priors)) => row.copy_from_slice(priors),
                (true, None) => row.fill(1.0 / count as f64),
                (false, _) => row.iter_mut().for_each(|log| *log = (*log - total).exp()),
            }
        }
        let predicted = most_probable(&probabilities, count)?;
        let report = match &labels {
            None => None,
            Some(labels) => {
                let found = classification_of(&probabilities, count, labels)?;
                let seconds = began.elapsed().as_secs_f64();
                let classification = Classification { seconds, ..found };
                Some(ClassReport {
                    accuracy_interval: wilson(classification.accuracy, classification.n),
                    confusion: confusion(&probabilities, count, labels, count)?,
                    by_class: by_class(&probabilities, &classes, labels),
                    classification,
                })
            }
        };
        let log_probabilities = (!own).then_some(totals);
        Ok(ClassifiedRows {
            of,
            classes,
            priors,
            decided_by,
            probabilities,
            predicted,
            labels,
            log_probabilities,
            report,
        })
    }

    /// One run: a density that is conditional on classes, or a classifier.
    fn evidence_of_one(&mut self, run: &Run, spec: &ClassifySpec) -> Result<Evidence> {
        if !spec.classes.is_empty() {
            return Err(Error::setting(
                "classes",
                format!("'{}'", spec.classes.join(",")),
                "one run has classes of its own; these are for several runs",
            ));
        }
        let (model, config) = (run.model(), &run.config.data);
        let conditional = model.sampler().filter(|sampler| !sampler.classes_are_codes());
        let conditional = conditional.is_some_and(|sampler| sampler.classes() > 0);
        if model.classifier().is_none() && !(conditional && model.density().is_some()) {
            let problem = match model.density() {
                None => "has no log-probability, which Bayes' rule compares",
                Some(_) => {
                    "is not conditional on classes, which Bayes' rule compares; train it with \
                     conditional=true, if it has that setting, or a run for each class (--class)"
                }
            };
            return Err(run.unsupported(problem));
        }
        let (examples, data) = run.query(&spec.query, self.data_dir())?;
        self.tell_notes(&data.notes)?;
        let of = scored(&data, &examples, &spec.query);
        let names: Vec<String> = (0..model.data().classes)
            .map(|at| config.class_names.get(at).cloned().unwrap_or_else(|| at.to_string()))
            .collect();
        let labels = match (examples.labels(), spec.query.data.is_some()) {
            (None, _) => None,
            (Some(labels), false) => Some(labels.to_vec()),
            (Some(_), true) => {
                // Other data may number its classes differently.
                let split = examples.split_name();
                let data = config.relabel(data)?;
                let own = Examples::new(&data, split, examples.binarize(), config_seed(run, spec))?;
                own.first(examples.len()).labels().map(<[u32]>::to_vec)
            }
        };
        let (logs, decided_by) = match (model.density(), model.classifier()) {
            (None, Some(_)) => {
                let network = NamedClassifier::new(model.name(), model)?;
                let logs = self.working("classifying", examples.len(), |progress| {
                    let mut logs = Vec::new();
                    for (i, chunk) in examples.indices().chunks(AT_ONCE).enumerate() {
                        let found = network.classify_examples(&examples, chunk, &mut |_| {})?;
                        logs.extend(found.probabilities.iter().map(|p| p.ln()));
                        progress(i * AT_ONCE + chunk.len());
                    }
                    Ok(logs)
                })?;
                (logs, DecidedBy::Classifier)
            }
            _ => {
                let logs = self.working("classifying", examples.len(), |progress| {
                    log_densities_by_class(model, &examples, spec.options, progress)
                })?;
                (logs, decided_by(run, spec.options))
            }
        };
        Ok(Evidence { of, classes: names, logs, decided_by, labels })
    }

    /// Several runs, each a density of one class.
    fn evidence_of_classes(&mut self, runs: &[Run], spec: &ClassifySpec) -> Result<Evidence> {
        for run in runs {
            let model = run.model();
            let problem = match (model.density(), model.classifier(), model.target()) {
                (None, _, _) => "has no log-probability, which Bayes' rule compares".to_owned(),
                (_, Some(_), _) => "classifies by itself; give it alone".to_owned(),
                (_, _, Some(_)) => "is a density of one column alone".to_owned(),
                _ => continue,
            };
            return Err(run.unsupported(problem));
        }
        let measure = |run: &Run| {
            let model = run.model();
            let mass = model.density().is_some_and(|density| density.is_mass(model.data()));
            (mass, run.config.data.binarize.clone())
        };
        if let Some(other) = runs.iter().find(|run| measure(run) != measure(&runs[0])) {
            let words = |run: &Run| {
                let (mass, binarize) = measure(run);
                let what = if mass { "probabilities" } else { "densities" };
                format!("{what} (binarization {binarize})")
            };
            return Err(Error::UnsuitableData {
                model: "classify".to_owned(),
                problem: format!(
                    "the runs cannot be compared: {} gives {} and {} gives {}",
                    runs[0].name(),
                    words(&runs[0]),
                    other.name(),
                    words(other)
                ),
            });
        }
        let mut columns = Vec::with_capacity(runs.len());
        let mut first: Option<(Scored, Dataset, Examples)> = None;
        for run in runs {
            let (examples, data) = run.query(&spec.query, self.data_dir())?;
            if first.is_none() {
                self.tell_notes(&data.notes)?;
                first = Some((scored(&data, &examples, &spec.query), data, examples.clone()));
            }
            let rows = examples.without_labels();
            let what = format!("log-probability by {}", run.name());
            let found = self.working(&what, rows.len(), |progress| {
                evaluate::log_probabilities(run.model(), &rows, spec.options, progress)
            })?;
            columns.push(found.nats);
        }
        let Some((of, data, examples)) = first else {
            return Err(Error::setting("runs", 0, "give a run, or one for each class"));
        };
        if columns.iter().any(|column| column.len() != of.n) {
            return Err(Error::UnsuitableData {
                model: "classify".to_owned(),
                problem: "the runs read different numbers of rows; give --data".to_owned(),
            });
        }
        let classes = class_names(runs, spec, &data)?;
        let labels = match examples.labels() {
            None => None,
            Some(labels) => {
                let name = |label: u32| {
                    let name = data.class_names.get(label as usize).cloned();
                    name.unwrap_or_else(|| label.to_string())
                };
                let place = |&label: &u32| {
                    let name = name(label);
                    let at = classes.iter().position(|class| *class == name);
                    at.map(|at| at as u32).ok_or_else(|| Error::UnsuitableData {
                        model: "classify".to_owned(),
                        problem: format!(
                            "an example is of class {name}, and the classes of the runs are {}",
                            classes.join(", ")
                        ),
                    })
                };
                Some(labels.iter().map(place).collect::<Result<Vec<_>>>()?)
            }
        };
        let logs = (0..of.n).flat_map(|i| columns.iter().map(move |nats| nats[i])).collect();
        let bound = runs.iter().any(|run| decided_by(run, spec.options) == DecidedBy::Bound);
        let decided_by = if bound { DecidedBy::Bound } else { DecidedBy::Exact };
        Ok(Evidence { of, classes, logs, decided_by, labels })
    }

    /// The class probabilities.
    fn priors(&self, runs: &[Run], classes: &[String], asked: &Priors) -> Result<Vec<f64>> {
        let counts = match asked {
            Priors::Equal => vec![1.0; classes.len()],
            Priors::Given(given) => of_given(given, classes)?,
            Priors::Training => {
                let rows = |run: &Run| {
                    let query = DataQuery::split(SplitName::Train);
                    run.query(&query, self.data_dir()).map_err(|error| {
                        let problem = format!(
                            "the shares of classes in training are not known ({error}); give priors \
                             or take equal ones"
                        );
                        run.unsupported(problem)
                    })
                };
                match runs {
                    [run] => match run.model().classifier().and_then(|model| model.priors()) {
                        Some(priors) => priors.to_vec(),
                        None => {
                            let mut counts = vec![0.0; classes.len()];
                            for &label in rows(run)?.0.labels().unwrap_or(&[]) {
                                if let Some(count) = counts.get_mut(label as usize) {
                                    *count += 1.0;
                                }
                            }
                            counts
                        }
                    },
                    runs => runs
                        .iter()
                        .map(|run| Ok(rows(run)?.0.len() as f64))
                        .collect::<Result<_>>()?,
                }
            }
        };
        let total: f64 = counts.iter().sum();
        Ok(counts.iter().map(|count| count / total).collect())
    }
}

/// Probabilities that a user gives, checked.
fn of_given(given: &[(Option<String>, f64)], classes: &[String]) -> Result<Vec<f64>> {
    let text: Vec<String> = given
        .iter()
        .map(|(name, p)| name.as_ref().map_or(p.to_string(), |name| format!("{name}={p}")))
        .collect();
    let wrong = |allowed: String| Error::setting("priors", text.join(","), allowed);
    if given.iter().any(|(_, p)| !(*p >= 0.0 && p.is_finite())) {
        return Err(wrong("give finite numbers of 0 or more".to_owned()));
    }
    let mut found = vec![None; classes.len()];
    for (at, (name, p)) in given.iter().enumerate() {
        let place = match name {
            None => Some(at),
            Some(name) => classes.iter().position(|class| class == name),
        };
        let slot = place.and_then(|place| found.get_mut(place)).filter(|slot| slot.is_none());
        *slot.ok_or_else(|| {
            wrong(format!("give one for each of the classes {}", classes.join(", ")))
        })? = Some(*p);
    }
    let all: Option<Vec<f64>> = found.into_iter().collect();
    let all = all
        .ok_or_else(|| wrong(format!("give one for each of the classes {}", classes.join(", "))))?;
    if all.iter().sum::<f64>() <= 0.0 {
        return Err(wrong("give one above 0".to_owned()));
    }
    Ok(all)
}

/// The names of the classes of several runs.
fn class_names(runs: &[Run], spec: &ClassifySpec, data: &Dataset) -> Result<Vec<String>> {
    let names = match spec.classes.is_empty() {
        false => spec.classes.clone(),
        true => runs.iter().map(|run| class_of(run, data)).collect(),
    };
    let text = format!("'{}'", names.join(","));
    if names.len() != runs.len() {
        let allowed = format!("give one for each of the {} runs", runs.len());
        return Err(Error::setting("classes", text, allowed));
    }
    if let Some(at) = (1..names.len()).find(|&at| names[..at].contains(&names[at])) {
        let allowed = format!("two runs are of class '{}'; name the class of each run", names[at]);
        return Err(Error::setting("classes", text, allowed));
    }
    Ok(names)
}

/// The class of a run: that which it was trained on, that of its training data, or the name of its folder,
/// of which the part after the last hyphen suffices if that is a class of the data.
fn class_of(run: &Run, data: &Dataset) -> String {
    let own = &run.config.data;
    if let Some(class) = &own.class {
        return class.clone();
    }
    if let [class] = &own.class_names[..] {
        return class.clone();
    }
    let name = run.name();
    let known = |name: &str| {
        (0..data.classes()).any(|at| match data.class_names.get(at) {
            Some(class) => class == name,
            None => at.to_string() == name,
        })
    };
    match name.rsplit_once('-') {
        Some((_, end)) if !known(&name) && known(end) => end.to_owned(),
        _ => name,
    }
}

/// Whether log-probabilities are bounds.
fn decided_by(run: &Run, options: Options) -> DecidedBy {
    match run.model().density().map(|density| density.kind(options.samples)) {
        Some(DensityKind::LowerBound { .. }) => DecidedBy::Bound,
        _ => DecidedBy::Exact,
    }
}

fn config_seed(run: &Run, spec: &ClassifySpec) -> u64 {
    if spec.query.split.is_none() { 0 } else { run.config.seed }
}

fn scored(data: &Dataset, examples: &Examples, query: &DataQuery) -> Scored {
    Scored {
        data: data.name.clone(),
        split: query.split.map(SplitName::as_str),
        binarize: examples.binarize().as_str(),
        n: examples.len(),
        notes: data.notes.clone(),
    }
}
