//! Univariate distributions fitted to columns, with their errors, intervals, tests and goodness of fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ancestral_data::{Batch, Binarize, Dataset, Examples, OpenOptions, SplitName, Streams};

use super::censored::{CensoredRows, file_name, one_column};
use super::columns::refuse_words;
use super::fit::{Fitted, keep_result};
use super::loaded::Run;
use super::session::Session;
use super::spec::{DataSource, ResolvedRun, RunSpec};
use super::walked::THINNED;
use crate::distributions::families::compare::{Ranking, RatioTest, rank, ratio_tests};
use crate::distributions::families::gof::Goodness;
use crate::distributions::families::inference::{Derived, above, quantile};
use crate::distributions::families::located::{Located, fit_located, has_origin};
use crate::distributions::families::{self, Distribution, Fit, FitOptions, Sample, full_name};
use crate::distributions::fitted::{
    RefusedColumns, chosen, column_error, open_uniform, parameter_tensors,
};
use crate::model::Init;
use crate::train::WeightsInfo;
use crate::{Error, Result};

/// Rows up to which p-values are computed without being asked for.
const MOST_ROWS: f64 = 2000.0;
/// Samples of a bootstrap.
const SAMPLES: u64 = 499;
/// Values that counts are repeated to, in a run.
const MOST_REPEATED: f64 = 1e7;

/// The fit of all families, in messages.
const AUTO: &str = "fit auto";

/// What rows a fit takes, beside the data itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Rows {
    /// Values of a column, or of every column.
    #[default]
    Plain,
    /// Values with weights, of a column by its name.
    Weighted(String),
    /// Censored rows, by the names of the columns of their lower and upper ends: equal ends are a
    /// value, a missing or infinite end is open. Every row is fitted.
    Censored {
        /// The column of lower ends.
        lower: String,
        /// The column of upper ends.
        upper: String,
        /// The column of weights.
        weights: Option<String>,
    },
    /// How often each count from the lowest on was seen, instead of data.
    Counts(Vec<f64>),
}

/// Whether p-values of goodness of fit are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PValues {
    /// Up to 2,000 rows.
    #[default]
    OfFewRows,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A request for the fit of a distribution.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DistributionRequest {
    /// The column; all columns, each by itself, if `None`.
    pub column: Option<String>,
    /// The rows.
    pub rows: Rows,
    /// Parameters by name that keep a value.
    pub fixed: Vec<(String, f64)>,
    /// Whether the origin of a support that begins at 0 is estimated, too.
    pub free_location: bool,
    /// Probabilities whose quantiles are wanted.
    pub quantiles: Vec<f64>,
    /// Values above which the probability is wanted.
    pub above: Vec<f64>,
    /// Whether p-values are computed.
    pub p_values: PValues,
    /// Whether the rows of a table or array are read in parts, not held, as those of a large file are;
    /// all are fitted then.
    pub in_parts: bool,
}

impl DistributionRequest {
    fn check(&self) -> Result<()> {
        if let Some(p) = self.quantiles.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            return Err(Error::setting("quantile", p, "give a probability from 0 to 1"));
        }
        if let Some(x) = self.above.iter().find(|x| x.is_nan()) {
            return Err(Error::setting("above", x, "give a number"));
        }
        Ok(())
    }
}

/// The fit of a column.
pub struct ColumnFit {
    /// The column.
    pub column: String,
    /// Its rows.
    pub sample: Sample,
    /// The family.
    pub family: Arc<dyn Distribution>,
    /// The parameters with their errors.
    pub fit: Fit,
    /// The confidence of intervals.
    pub confidence: f64,
    /// Distances between the rows, or some of very many, and the fit; `None` if rows are censored.
    pub goodness: Option<Goodness>,
    /// Likelihood-ratio tests of families within this one.
    pub tests: Vec<RatioTest>,
    /// The quantiles asked for, each with its probability.
    pub quantiles: Vec<(f64, Derived)>,
    /// P(X > x) for the values asked for.
    pub above: Vec<(f64, Derived)>,
}

/// A fitted distribution of one column or of several independent ones.
pub struct FamilyFit {
    /// The model.
    pub run: Run,
    /// The columns.
    pub columns: Vec<ColumnFit>,
    /// The evaluation on each split; empty for weighted and censored rows, for rows that are not held and
    /// for counts, whose log-likelihood is that of the fit.
    pub splits: Vec<Fitted>,
}

/// All families on a column.
pub struct ColumnRanking {
    /// The column.
    pub column: String,
    /// Its rows.
    pub sample: Sample,
    /// The fits.
    pub ranking: Ranking,
}

impl ColumnRanking {
    /// The family of the lowest AIC, of masses if the rows are counts.
    pub fn best(&self) -> Option<&Fit> {
        self.ranking.masses.first().or(self.ranking.densities.first())
    }
}

/// The options of fits that are ranked: standard errors, and no intervals.
pub fn auto_options() -> FitOptions {
    FitOptions::default().without_intervals()
}

/// The rows of some columns, and the data that a run of them has.
struct Gathered {
    columns: Vec<(String, Sample)>,
    /// The data; `None` if it is that of the request with the columns.
    given: Option<Dataset>,
    names: Vec<String>,
    /// The columns of censored rows.
    censored: Vec<String>,
    /// The fingerprint of rows that are not held.
    walked: Option<String>,
}

impl Session<'_> {
    /// Fits a family to a column, or to each column of a table, and evaluates it as
    /// [`Session::fit`] does.
    ///
    /// # Errors
    /// If there is no such family or column, the rows have no maximum of the likelihood, naming the
    /// reason and the rows at fault, or the run cannot be stored.
    pub fn fit_family(
        &mut self,
        spec: &RunSpec,
        request: &DistributionRequest,
    ) -> Result<FamilyFit> {
        request.check()?;
        spec.storage.check()?;
        let name = full_name(spec.model.as_deref().unwrap_or_default()).to_owned();
        let mut spec = RunSpec { model: Some(name.clone()), ..spec.clone() };
        // Refuses an unknown name before anything is read.
        self.registry.find(&name)?;
        let gathered = self.gather(&spec, request, Some(&name))?;
        spec.data.real = true;
        let place = match &spec.data.source {
            DataSource::Named(place) => Some(place.clone()),
            _ => None,
        };
        match gathered.given {
            Some(data) => spec.data.source = DataSource::Given(data),
            None => spec.data.columns.clone_from(&gathered.names),
        }
        let ResolvedRun { mut config, data } =
            spec.resolve(&self.registry, self.data_dir(), &self.device)?;
        if let (Some(fingerprint), Some(place)) = (&gathered.walked, &place) {
            config.data.set_place(place, self.data_dir());
            config.data.fingerprint.clone_from(fingerprint);
            config.data.chosen = request.column.is_some();
            (config.data.whole, config.data.real) = (true, true);
            config.data.no_labels = true;
        }
        if !gathered.censored.is_empty() {
            if let Some(place) = place {
                config.data.set_place(&place, self.data_dir());
            }
            config.data.censored.clone_from(&gathered.censored);
            config.data.text.clone_from(&spec.data.text);
        }
        self.tell_notes(&data.notes)?;
        let located = match request.free_location {
            true => {
                let found = locate(&name, &config.settings, &gathered.columns, request)?;
                config.settings.insert("location".to_owned(), found.location.into());
                Some(found)
            }
            false => None,
        };
        let Some(family) = chosen(&name, &config.settings)? else {
            return Err(Error::Unknown {
                what: "family",
                name,
                hint: "it is a model of whole rows".to_owned(),
            });
        };
        let options = FitOptions {
            fixed: request.fixed.clone(),
            intervals: true,
            confidence: family.confidence,
        };
        let (seed, streams) = (config.seed, Streams::new(config.seed));
        let never = AtomicBool::new(false);
        let stop = self.stop.unwrap_or(&never);
        // A bootstrap is many fits.
        let of_column = match request.p_values {
            PValues::Never => 1,
            PValues::OfFewRows | PValues::Always => 1 + SAMPLES as usize,
        };
        let total = gathered.columns.len() * of_column;
        let columns = self.working("fitting", total, |progress| {
            let (mut done, mut refused) = (Vec::new(), RefusedColumns::default());
            for (at, (column, sample)) in gathered.columns.into_iter().enumerate() {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                let before = at * of_column;
                if !refused.is_empty() {
                    // There is an error, which names the others; a plain fit tells whether this is one.
                    let plain = options.clone().without_intervals();
                    let circle = on_circle(family.family.as_ref(), sample);
                    let fit = circle.and_then(|(sample, _)| family.family.fit(&sample, &plain));
                    refused.keep(&column, fit);
                    continue;
                }
                let fitted = fit_column(
                    (&column, sample),
                    &family.family,
                    &options,
                    request,
                    (streams, located.as_ref()),
                    &mut |fits| progress(before + fits as usize),
                );
                done.extend(refused.keep(&column, fitted));
                progress(before + of_column);
            }
            refused.check(&name)?;
            Ok(done)
        })?;
        let theta: Vec<f64> =
            columns.iter().flat_map(|column| column.fit.parameters.iter().copied()).collect();
        let init = Init::new(&self.device, seed);
        let data_spec = config.data.spec()?;
        let mut model = self.registry.build(&name, &config.settings, &data_spec, &init)?;
        model.load(&parameter_tensors(&theta, columns.len()))?;
        let info = WeightsInfo::default();
        let folder = spec.storage.create(&config, Some((&model.tensors(), info)))?;
        let path = folder.map(|folder| folder.path().to_owned());
        let binarize: Binarize = config.data.binarize.parse()?;
        let held = gathered.walked.is_none();
        let mut run = Run { config, model, info, path, data: held.then(|| data.clone()) };
        let n = columns.first().map_or(0.0, |column| column.fit.n);
        let nats = columns.iter().map(|column| -column.fit.log_likelihood).sum::<f64>() / n;
        let (splits, train) = match request.rows {
            Rows::Plain if held => {
                (self.evaluate_fit(&run, &data, binarize, spec.skip_test)?, None)
            }
            Rows::Plain | Rows::Counts(_) => (Vec::new(), Some((nats, n as u64))),
            // Their likelihood is not that of examples.
            Rows::Censored { .. } | Rows::Weighted(_) => (Vec::new(), None),
        };
        keep_result(&mut run, &splits, train)?;
        Ok(FamilyFit { run, columns, splits })
    }

    /// Fits all families to a column, or to each column of a table, and ranks them by AIC.
    ///
    /// # Errors
    /// If there is no such column, or the data cannot be read.
    pub fn fit_all_families(
        &mut self,
        spec: &RunSpec,
        request: &DistributionRequest,
    ) -> Result<Vec<ColumnRanking>> {
        spec.storage.check()?;
        let gathered = self.gather(spec, request, None)?;
        let never = AtomicBool::new(false);
        let stop = self.stop.unwrap_or(&never);
        let total = gathered.columns.len();
        self.working("fitting", total, |progress| {
            let mut done = Vec::new();
            for (column, sample) in gathered.columns {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                let ranking = rank(&sample, &auto_options());
                done.push(ColumnRanking { column, sample, ranking });
                progress(done.len());
            }
            Ok(done)
        })
    }

    /// The rows of a request.
    fn gather(
        &mut self,
        spec: &RunSpec,
        request: &DistributionRequest,
        model: Option<&str>,
    ) -> Result<Gathered> {
        let model = model.unwrap_or(AUTO);
        let wrong = |column: &str, error| column_error(model, column, error);
        let seed = spec.seed.unwrap_or(0);
        let mut spec = spec.clone();
        spec.data.real = true;
        match &request.rows {
            Rows::Counts(counts) => {
                let first = if model == "geometric" { 1.0 } else { 0.0 };
                let values: Vec<f64> = (0..counts.len()).map(|k| first + k as f64).collect();
                let sample = Sample::weighted(&values, counts).map_err(|e| wrong("counts", e))?;
                let given = Some(one_column("counts", "count", repeated(&sample))?);
                let columns = vec![("count".to_owned(), sample)];
                Ok(Gathered {
                    columns,
                    given,
                    names: Vec::new(),
                    censored: Vec::new(),
                    walked: None,
                })
            }
            Rows::Censored { lower, upper, weights } => {
                let DataSource::Named(place) = &spec.data.source else {
                    return Err(Error::setting(
                        "lower",
                        lower,
                        "censored rows are read from a file",
                    ));
                };
                let names: Vec<String> =
                    [lower, upper].into_iter().chain(weights).cloned().collect();
                let options = OpenOptions {
                    data_dir: self.data_dir().map(std::path::Path::to_path_buf),
                    text: spec.data.text.clone(),
                    ..OpenOptions::default()
                };
                let rows = CensoredRows::read(place, &names, &options)?;
                let sample = Sample::censored(&rows.lower, &rows.upper, rows.weights.as_deref())
                    .map_err(|e| wrong(lower, e))?;
                let given = Some(rows.data(&file_name(place), lower)?);
                let columns = vec![(format!("{lower}–{upper}"), sample)];
                Ok(Gathered { columns, given, names: Vec::new(), censored: names, walked: None })
            }
            plain => {
                let weights = match plain {
                    Rows::Weighted(column) => Some(column),
                    _ => None,
                };
                let asked: Vec<String> = request.column.iter().cloned().collect();
                if request.in_parts && weights.is_some() {
                    let reason = "weighted rows are held".to_owned();
                    return Err(Error::setting("in-parts", true, reason));
                }
                if weights.is_none()
                    && let Some(found) = self.walked_columns(
                        &spec,
                        &asked,
                        request.in_parts,
                        (model, model == AUTO),
                    )?
                {
                    if request.p_values == PValues::Always {
                        let reason = format!(
                            "its p-values take samples of {} rows, which are not held",
                            found.rows
                        );
                        return Err(Error::setting("gof", true, reason));
                    }
                    if model == AUTO {
                        self.tell_notes(&found.few.notes)?;
                    }
                    let (columns, given) = (found.columns, Some(found.few));
                    let walked = Some(found.fingerprint);
                    let (names, censored) = (Vec::new(), Vec::new());
                    return Ok(Gathered { columns, given, names, censored, walked });
                }
                let data = spec.with_columns(asked.clone(), self.data_dir())?;
                let data = match (weights, asked.is_empty()) {
                    // All columns but that of the weights.
                    (Some(weights), true) => {
                        let rest = (0..data.column_names.len())
                            .filter(|&at| data.column_names[at] != *weights)
                            .collect::<Vec<_>>();
                        data.select_columns(&rest)?
                    }
                    _ => data,
                };
                let data = match asked.is_empty() && model == AUTO {
                    true => numbers_alone(data)?,
                    false => data,
                };
                let names = match asked.is_empty() && weights.is_none() {
                    true => Vec::new(),
                    false => data.column_names.clone(),
                };
                let weights = weights
                    .map(|column| {
                        let data = spec.with_columns(vec![column.clone()], self.data_dir())?;
                        Ok::<_, Error>(training_columns(&data, seed)?.concat())
                    })
                    .transpose()?;
                refuse_words(&data, model)?;
                let found = training_columns(&data, seed)?;
                let name = |at: usize| {
                    data.column_names.get(at).cloned().unwrap_or_else(|| format!("x{at}"))
                };
                let mut columns = Vec::with_capacity(found.len());
                for (at, values) in found.into_iter().enumerate() {
                    let sample = match &weights {
                        Some(weights) => Sample::weighted(&values, weights),
                        None => Sample::new(values),
                    };
                    columns.push((name(at), sample.map_err(|e| wrong(&name(at), e))?));
                }
                let given = match &spec.data.source {
                    DataSource::Given(_) if !names.is_empty() => Some(data.clone()),
                    _ => None,
                };
                Ok(Gathered { columns, given, names, censored: Vec::new(), walked: None })
            }
        }
    }
}

/// The columns that hold numbers, if there are any.
fn numbers_alone(data: Dataset) -> Result<Dataset> {
    let words = |at: &usize| {
        let kind = data.columns.get(*at).map(|column| column.kind);
        kind == Some(ancestral_data::ColumnType::Category)
    };
    let numbers: Vec<usize> = (0..data.columns.len()).filter(|at| !words(at)).collect();
    if numbers.is_empty() || numbers.len() == data.columns.len() {
        return Ok(data);
    }
    let mut chosen = data.select_columns(&numbers)?;
    let left = data.columns.len() - numbers.len();
    chosen.notes.push(format!("{left} columns of words were left out"));
    Ok(chosen)
}

/// The columns of the training split.
fn training_columns(data: &Dataset, seed: u64) -> Result<Vec<Vec<f64>>> {
    let examples = Examples::new(data, SplitName::Train, Binarize::None, seed)?;
    let size = data.shape.size();
    let mut columns = vec![Vec::with_capacity(examples.len()); size];
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    for block in indices.chunks(1 << 16) {
        let Batch { values, .. } = examples.batch(block, 0);
        for row in values.chunks_exact(size.max(1)) {
            columns.iter_mut().zip(row).for_each(|(column, &x)| column.push(x));
        }
    }
    Ok(columns)
}

/// Each value as often as it was seen, or once if there are too many.
fn repeated(sample: &Sample) -> Vec<f64> {
    if sample.total() > MOST_REPEATED {
        return sample.values().to_vec();
    }
    let each = |(x, w): (f64, f64)| std::iter::repeat_n(x, w.round() as usize);
    sample.weighted_values().flat_map(each).collect()
}

/// The fit of a column with an origin that is estimated.
fn locate(
    name: &str,
    settings: &toml::Table,
    columns: &[(String, Sample)],
    request: &DistributionRequest,
) -> Result<Located> {
    let refuse = |allowed: &str| Error::setting("free-location", true, allowed.to_owned());
    let Some(family) = chosen(name, settings)?.filter(|c| has_origin(c.family.as_ref())) else {
        return Err(refuse("it is for families whose support begins at 0, as gamma and weibull"));
    };
    let [(column, sample)] = columns else {
        return Err(refuse("it takes one column; choose it with --column"));
    };
    let options = FitOptions {
        fixed: request.fixed.clone(),
        intervals: false,
        confidence: family.confidence,
    };
    // The family with its origin at 0.
    let plain = families::by_name(family.family.name());
    let plain = plain.ok_or_else(|| refuse("it is for families whose support begins at 0"))?;
    fit_located(plain.as_ref(), sample, &options).map_err(|e| column_error(name, column, e))
}

/// Rows of a family with a period within its circle, and a note on those that were not.
fn on_circle(
    family: &dyn Distribution,
    sample: Sample,
) -> families::Result<(Sample, Option<String>)> {
    let Some((from, to)) = family.circle() else { return Ok((sample, None)) };
    let inside = move |x: f64| (from..=to).contains(&x);
    let beyond = |x: f64| x.is_finite() && !inside(x);
    let rows = sample.intervals().iter().filter(|i| beyond(i.lower) || beyond(i.upper)).count();
    if rows > 0 {
        let support = "[−π, π]".to_owned();
        return Err(families::Error::OutsideSupport { family: family.name(), support, rows });
    }
    let rows = sample.count(|x| !inside(x));
    if rows == 0 {
        return Ok((sample, None));
    }
    let turn = to - from;
    let wrapped =
        sample.map(move |x| if inside(x) { x } else { x - turn * ((x - to) / turn).ceil() });
    let are = if rows == 1 { "row is" } else { "rows are" };
    let note = format!(
        "{rows} {are} outside of (−π, π] and taken modulo 2π: the values must be angles in radians"
    );
    Ok((wrapped, Some(note)))
}

/// The fit of a column and what follows from it.
fn fit_column(
    (column, sample): (&str, Sample),
    family: &Arc<dyn Distribution>,
    options: &FitOptions,
    request: &DistributionRequest,
    (streams, located): (Streams, Option<&Located>),
    progress: &mut dyn FnMut(u64),
) -> families::Result<ColumnFit> {
    let (sample, turned) = on_circle(family.as_ref(), sample)?;
    let mut fit = match located {
        Some(located) => located.fit.clone(),
        None => family.fit(&sample, options)?,
    };
    fit.notes.extend(turned);
    let wanted = match request.p_values {
        // Each sample would need an origin of its own.
        _ if located.is_some() => false,
        PValues::OfFewRows => fit.n <= MOST_ROWS,
        PValues::Always => true,
        PValues::Never => false,
    };
    let thinned = sample.is_walked().then(|| sample.thinned(THINNED));
    let rows = thinned.as_ref().unwrap_or(&sample);
    let goodness = Goodness::of(family.as_ref(), &fit, rows).map(|goodness| {
        if !wanted {
            return goodness;
        }
        let purpose = streams.purpose("goodness of fit", 0);
        let uniforms = |number: u64| -> Box<dyn FnMut() -> f64> {
            let mut rng = purpose.item(number);
            Box::new(move || open_uniform(&mut rng))
        };
        goodness.with_p_values(family.as_ref(), &fit, options, SAMPLES, &uniforms, progress)
    });
    let tests = ratio_tests(family.as_ref(), &fit, &sample, options).unwrap_or_default();
    let confidence = options.confidence;
    // The delta method would leave out the error of the origin.
    let only = |found: Derived| match located {
        Some(_) => Derived { stderr: None, interval: None, ..found },
        None => found,
    };
    let quantiles = request.quantiles.iter();
    let quantiles =
        quantiles.map(|&p| (p, only(quantile(family.as_ref(), &fit, p, confidence)))).collect();
    let over = request.above.iter();
    let above = over.map(|&x| (x, only(above(family.as_ref(), &fit, x, confidence)))).collect();
    Ok(ColumnFit {
        column: column.to_owned(),
        sample,
        family: family.clone(),
        fit,
        confidence,
        goodness,
        tests,
        quantiles,
        above,
    })
}
