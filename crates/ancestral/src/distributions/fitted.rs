//! The univariate families as models: a column, or several independent columns, each with its own
//! parameters of maximum likelihood. The likelihood is exact, in nats and in the units of the column.
//!
//! Rows are taken into memory; [`super::families`] describes how they are fitted.

use std::sync::Arc;

use ancestral_data::{Batch, Examples};
use burn::tensor::TensorData;
use rand::Rng;
use toml::Table;

use super::families::binomial::Binomial;
use super::families::located::{Shifted, has_origin};
use super::families::{self, Distribution, Family, FitOptions, Sample};
use super::take;
use crate::model::{
    BLOCK, Capability, DataSpec, Density, DensityKind, DensityOptions, Estimate, Estimator,
    FitContext, FitReport, KindName, Learning, LogProbability, Model, ModelEntry, NamedTensors,
    SampleRequest, Sampler, Size, SizeBuilder, Task, product,
};
use crate::settings::Settings;
use crate::{Error, Result, settings};

/// The kinds of columns that families take; whole numbers are read as real values for them.
const KINDS: &[KindName] = &[KindName::Real, KindName::Count];
/// The size of an estimate with its name, in doubles.
const ESTIMATE: usize = 12;

settings! {
    /// Settings of a fitted univariate distribution.
    pub struct FamilyConfig {
        /// Confidence of the intervals of parameters.
        pub confidence: f64 = 0.95, in 0.5..=0.9999;
    }
}

settings! {
    /// Settings of a fitted univariate distribution whose support begins at an origin.
    pub struct OriginConfig {
        /// Where the support begins.
        pub location: f64 = 0.0, in -3.4e38..=3.4e38;
        /// Confidence of the intervals of parameters.
        pub confidence: f64 = 0.95, in 0.5..=0.9999;
    }
}

settings! {
    /// Settings of a fitted binomial distribution.
    pub struct BinomialConfig {
        /// Number of trials of each row.
        pub trials: u64 = 1, in 1..=9_007_199_254_740_992;
        /// Confidence of the intervals of parameters.
        pub confidence: f64 = 0.95, in 0.5..=0.9999;
    }
}

/// Independent columns of one family.
pub struct Fitted {
    family: Arc<dyn Distribution>,
    settings: Table,
    confidence: f64,
    data: DataSpec,
    /// `[columns, parameters]`.
    theta: Vec<f64>,
}

/// A family with the confidence of its intervals, from the settings of its model.
pub struct Chosen {
    /// The family.
    pub family: Arc<dyn Distribution>,
    /// The confidence of intervals.
    pub confidence: f64,
    /// All settings.
    pub settings: Table,
}

/// How the settings of a model make a family.
trait Configured: Family {
    fn fields() -> Vec<crate::settings::Field>;
    fn chosen(table: &Table) -> Result<Chosen>;
}

impl<F: Family + Default> Configured for F {
    fn fields() -> Vec<crate::settings::Field> {
        if has_origin(&F::default()) { OriginConfig::fields() } else { FamilyConfig::fields() }
    }

    fn chosen(table: &Table) -> Result<Chosen> {
        if has_origin(&F::default()) {
            let config = OriginConfig::from_table(table)?;
            config.check_values()?;
            let (confidence, settings) = (config.confidence, config.to_table());
            let family: Arc<dyn Distribution> = match config.location {
                0.0 => Arc::new(F::default()),
                location => Arc::new(Shifted::new(Arc::new(F::default()), location)),
            };
            return Ok(Chosen { family, confidence, settings });
        }
        let config = FamilyConfig::from_table(table)?;
        config.check_values()?;
        let (confidence, settings) = (config.confidence, config.to_table());
        Ok(Chosen { family: Arc::new(F::default()), confidence, settings })
    }
}

impl Configured for Binomial {
    fn fields() -> Vec<crate::settings::Field> {
        BinomialConfig::fields()
    }

    fn chosen(table: &Table) -> Result<Chosen> {
        let config = BinomialConfig::from_table(table)?;
        config.check_values()?;
        let (confidence, settings) = (config.confidence, config.to_table());
        let family = Arc::new(Binomial { trials: config.trials as f64 });
        Ok(Chosen { family, confidence, settings })
    }
}

/// A family by the name of its model, with settings of it; `None` if no family has this name.
///
/// # Errors
/// If a setting is not allowed.
pub fn chosen(name: &str, settings: &Table) -> Result<Option<Chosen>> {
    let makers = makers();
    let found = makers.iter().find(|(family, _)| *family == name);
    found.map(|(_, make)| make(settings)).transpose()
}

/// The name of the model of a family: its own, but for the logistic distribution, since `logistic` is
/// logistic regression.
pub fn model_name(family: &'static str) -> &'static str {
    if family == "logistic" { "logistic-distribution" } else { family }
}

/// Whether a model is a univariate family.
pub fn is_family(model: &str) -> bool {
    makers().iter().any(|(name, _)| *name == model)
}

/// Makes a family from settings.
type Maker = fn(&Table) -> Result<Chosen>;

/// Lists the families, each by its type.
macro_rules! listed {
    ($($family:ty),* $(,)?) => {
        /// The entries of the families.
        pub fn entries() -> Vec<ModelEntry> {
            vec![$(entry::<$family>()),*]
        }

        fn makers() -> Vec<(&'static str, Maker)> {
            vec![$((model_name(<$family as Family>::NAME), <$family as Configured>::chosen as Maker)),*]
        }
    };
}

listed! {
    families::normal::Normal,
    families::student_t::StudentT,
    families::laplace::Laplace,
    families::logistic::Logistic,
    families::cauchy::Cauchy,
    families::gumbel::Gumbel,
    families::generalized_extreme_value::GeneralizedExtremeValue,
    families::uniform::Uniform,
    families::exponential::Exponential,
    families::gamma::Gamma,
    families::inverse_gamma::InverseGamma,
    families::chi_squared::ChiSquared,
    families::weibull::Weibull,
    families::log_normal::LogNormal,
    families::log_logistic::LogLogistic,
    families::half_normal::HalfNormal,
    families::rayleigh::Rayleigh,
    families::inverse_gaussian::InverseGaussian,
    families::pareto::Pareto,
    families::generalized_pareto::GeneralizedPareto,
    families::beta::Beta,
    families::von_mises::VonMises,
    families::skew_normal::SkewNormal,
    Binomial,
    families::geometric::Geometric,
    families::poisson::Poisson,
    families::negative_binomial::NegativeBinomial,
    families::zero_inflated_poisson::ZeroInflatedPoisson,
}

/// The entry of a family.
fn entry<F: Configured>() -> ModelEntry {
    ModelEntry {
        name: model_name(F::NAME),
        about: F::ABOUT,
        paper: "maximum likelihood",
        tasks: &[Task::Density, Task::Sampling],
        capabilities: &[Capability::ExactDensity, Capability::Samples],
        validation: &[],
        learning: Learning::Fit,
        kinds: KINDS,
        size: |table, data| size(&F::chosen(table)?, data),
        presets: &[],
        fields: F::fields,
        train: |_| Table::new(),
        complete: |_, _| {},
        build: |table, data, _| Ok(Box::new(Fitted::new(F::chosen(table)?, data)?)),
    }
}

/// The size of a model.
fn size(chosen: &Chosen, data: &DataSpec) -> Result<Size> {
    data.check_kinds(model_name(chosen.family.name()), KINDS)?;
    let columns = product(data.shape.dims());
    let numbers = product(&[columns, chosen.family.parameters().len()]);
    let mut size = SizeBuilder::default();
    size.buffer(&[numbers]);
    // The rows, sorted and standardized.
    size.kept(product(&[columns, 4]) as u64);
    size.fixed(product(&[numbers, ESTIMATE]) as u64);
    Ok(size.finish())
}

impl Fitted {
    /// The family with parameters in the middle of their ranges.
    ///
    /// # Errors
    /// If the data is of another kind.
    pub fn new(chosen: Chosen, data: &DataSpec) -> Result<Self> {
        let Chosen { family, confidence, settings } = chosen;
        data.check_kinds(model_name(family.name()), KINDS)?;
        let first: Vec<f64> = family.parameters().iter().map(|p| p.domain.parameter(0.0)).collect();
        let theta = first.repeat(data.size());
        Ok(Self { family, settings, confidence, data: data.clone(), theta })
    }

    /// The family.
    pub fn family(&self) -> &Arc<dyn Distribution> {
        &self.family
    }

    /// The parameters of a column.
    pub fn parameters(&self, column: usize) -> &[f64] {
        let each = self.family.parameters().len();
        self.theta.get(column * each..(column + 1) * each).unwrap_or(&[])
    }
}

/// The tensor of parameters `[columns, parameters]`, for [`Model::load`]; a parameter at an infinite
/// limit is stored as the largest number, since files hold finite ones.
pub fn parameter_tensors(theta: &[f64], columns: usize) -> NamedTensors {
    let finite = theta.iter().map(|x| x.clamp(-f64::MAX, f64::MAX)).collect::<Vec<_>>();
    let each = theta.len() / columns.max(1);
    vec![("model.parameters".to_owned(), TensorData::new(finite, [columns, each]))]
}

/// The parameters of stored tensors, the inverse of [`parameter_tensors`]; none if they are of another
/// model.
pub fn fitted_parameters(tensors: &NamedTensors) -> Vec<f64> {
    let found = tensors.iter().find(|(name, _)| name == "model.parameters");
    let found = found.and_then(|(_, data)| data.try_to_vec_as::<f64>().ok()).unwrap_or_default();
    found.into_iter().map(limit).collect()
}

/// The largest number stands for an infinite limit.
fn limit(x: f64) -> f64 {
    if x.abs() == f64::MAX { x * f64::INFINITY } else { x }
}

/// The error of a family, for a column.
pub fn column_error(model: &str, column: &str, error: families::Error) -> Error {
    match error {
        families::Error::UnknownParameter { name, known, .. } => {
            Error::Unknown { what: "parameter", name, hint: format!("{model} has {known}") }
        }
        families::Error::OutOfRange { name, value, allowed, .. } => {
            Error::setting(name, value, format!("it must be {allowed}"))
        }
        other => Error::UnsuitableData {
            model: model.to_owned(),
            problem: format!("column '{column}': {other}"),
        },
    }
}

/// The columns of a table that are named in an error.
const NAMED: usize = 5;

/// The columns that a family cannot be fitted to, gathered, so that one error names them all.
#[derive(Debug, Default)]
pub struct RefusedColumns {
    refused: Vec<(String, families::Error)>,
    fitted: usize,
}

impl RefusedColumns {
    /// Whether there are none so far.
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty()
    }

    /// A fit of a column, unless it was refused.
    pub fn keep<T>(&mut self, column: &str, fit: families::Result<T>) -> Option<T> {
        match fit {
            Ok(fit) => {
                self.fitted += 1;
                Some(fit)
            }
            Err(error) => {
                self.refused.push((column.to_owned(), error));
                None
            }
        }
    }

    /// Nothing, if no column was refused.
    ///
    /// # Errors
    /// The reasons of the first columns that were, and how many others there are.
    pub fn check(self, model: &str) -> Result<()> {
        let Self { mut refused, fitted } = self;
        let all = refused.len();
        // What is wrong with a parameter is wrong for every column.
        let of_request = |(_, error): &(String, families::Error)| {
            use families::Error::{OutOfRange, UnknownParameter};
            matches!(error, UnknownParameter { .. } | OutOfRange { .. })
        };
        if all == 1 && fitted == 0 || refused.first().is_some_and(of_request) {
            let (column, error) = refused.swap_remove(0);
            return Err(column_error(model, &column, error));
        }
        if all == 0 {
            return Ok(());
        }
        refused.truncate(NAMED);
        let mut reasons: Vec<String> =
            refused.iter().map(|(column, error)| format!("column '{column}': {error}")).collect();
        match all - refused.len() {
            0 => {}
            1 => reasons.push("1 more column is refused".to_owned()),
            more => reasons.push(format!("{more} more columns are refused")),
        }
        reasons.push(match fitted {
            0 => "no column can be fitted".to_owned(),
            1 => "the other column can be fitted".to_owned(),
            n => format!("the other {n} columns can be fitted"),
        });
        Err(Error::UnsuitableData { model: model.to_owned(), problem: reasons.join("; ") })
    }
}

impl Model for Fitted {
    fn name(&self) -> &'static str {
        model_name(self.family.name())
    }

    fn settings(&self) -> Table {
        self.settings.clone()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        parameter_tensors(&self.theta, self.data.size())
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let found = take(self.name(), tensors, "model.parameters", self.theta.len())?;
        self.theta = found.into_iter().map(limit).collect();
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

/// The values of each column, in the order of the examples.
///
/// # Errors
/// If the fit was asked to stop.
pub fn columns_of(
    examples: &Examples,
    size: usize,
    context: &mut FitContext<'_>,
) -> Result<Vec<Vec<f64>>> {
    let mut columns = vec![Vec::with_capacity(examples.len()); size];
    let indices: Vec<u64> = (0..examples.len() as u64).collect();
    context.check_stop()?;
    for block in indices.chunks(BLOCK) {
        context.check_stop()?;
        let batch = examples.batch(block, 0);
        for row in batch.values.chunks_exact(size.max(1)) {
            columns.iter_mut().zip(row).for_each(|(column, &x)| column.push(x));
        }
    }
    Ok(columns)
}

impl Estimator for Fitted {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        let (size, name) = (self.data.size(), self.name());
        let columns = columns_of(examples, size, context)?;
        let options = FitOptions { confidence: self.confidence, ..FitOptions::default() };
        let options = options.without_intervals();
        let mut report = FitReport { converged: None, ..FitReport::default() };
        let mut theta = Vec::with_capacity(self.theta.len());
        let mut refused = RefusedColumns::default();
        for (at, values) in columns.into_iter().enumerate() {
            context.check_stop()?;
            let column = self.data.column_name(at);
            let fit = Sample::new(values).and_then(|sample| self.family.fit(&sample, &options));
            let Some(fit) = refused.keep(&column, fit) else { continue };
            theta.extend(&fit.parameters);
            let of =
                |name: &str| if size == 1 { name.to_owned() } else { format!("{name}[{column}]") };
            report.estimates.extend(fit.estimates.iter().map(|estimate| Estimate {
                name: of(estimate.name),
                value: estimate.value,
                stderr: estimate.stderr,
            }));
            report.notes.extend(fit.notes.iter().filter(|_| size == 1).cloned());
            (context.progress)((at + 1) as f64 / size as f64);
        }
        refused.check(name)?;
        self.theta = theta;
        Ok(report)
    }
}

impl Fitted {
    /// The log-density of each entry, row after row.
    fn terms(&self, batch: &Batch) -> Vec<f64> {
        let size = self.data.size();
        let of = |(at, &x): (usize, &f64)| self.family.log_density(self.parameters(at % size), x);
        batch.values.iter().enumerate().map(of).collect()
    }
}

impl Density for Fitted {
    fn kind(&self, _samples: usize) -> DensityKind {
        DensityKind::Exact
    }

    fn is_mass(&self, _data: &DataSpec) -> bool {
        self.family.is_discrete()
    }

    fn log_probability(&self, batch: &Batch, _: DensityOptions) -> Result<LogProbability> {
        let terms = self.terms(batch);
        let rows = terms.chunks_exact(self.data.size().max(1));
        Ok(LogProbability { nats: rows.map(|row| row.iter().sum()).collect(), monte_carlo: None })
    }

    fn column_terms(&self, batch: &Batch) -> Result<Option<Vec<f64>>> {
        Ok(Some(self.terms(batch)))
    }
}

/// A uniform number in (0, 1) of 52 random bits and a half step: never 0, never 1.
pub fn open_uniform(rng: &mut impl Rng) -> f64 {
    const SCALE: f64 = 1.0 / (1u64 << 53) as f64;
    ((rng.next_u64() >> 12) as f64 * 2.0 + 1.0) * SCALE
}

impl Sampler for Fitted {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        let purpose = request.streams.purpose("sample", 0);
        let size = self.data.size();
        let mut out = Vec::with_capacity(request.count * size);
        for index in request.first..request.first + request.count as u64 {
            let mut rng = purpose.item(index);
            let mut uniform = || open_uniform(&mut rng);
            out.extend((0..size).map(|at| self.family.sample(self.parameters(at), &mut uniform)));
        }
        Ok(out)
    }

    fn has_temperature(&self) -> bool {
        false
    }

    fn has_noise(&self) -> bool {
        false
    }
}
