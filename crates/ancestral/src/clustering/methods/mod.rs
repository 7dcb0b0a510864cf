//! The methods as models: settings, tensors, assignment of new rows.
//!
//! A model standardizes columns by the offset and scale of its data, if there are any, and clusters the
//! result: its centers and distances are in these units. Whole values (binary, levels) are clustered in
//! single precision, in which they are exact, others in double precision.

mod batches;
mod dbscan;
mod errors;
mod gather;
mod hdbscan;
mod kmeans;
mod method;
mod som;
#[cfg(test)]
mod tests;

use ancestral_data::{Batch, Examples};
use toml::Table;

use super::Watch;
use crate::Result;
use crate::model::{
    Assigning, Assignments, Clusterer, DataSpec, Estimate, Estimator, FitContext, FitReport, Model,
    ModelEntry, NamedTensors, check_batch,
};
use method::Listed;

pub(crate) use batches::{Parts, nearest_centers, without_empty};
pub use dbscan::{DbscanMethod, DbscanSettings};
pub(crate) use errors::wrong;
pub use gather::{Matrix, RunStreams};
pub(crate) use gather::{standardized, with_points};
pub use hdbscan::{HdbscanMethod, HdbscanSettings, SelectionSetting};
pub use kmeans::{KmeansInit, KmeansMethod, KmeansSettings};
pub use method::{Clustering, Found, Given, Method, MetricSetting};
pub use som::{GridSetting, NeighborhoodSetting, SomMethod, SomSettings, SomStart, SomTraining};

/// The entries of the methods.
pub fn entries() -> Vec<ModelEntry> {
    vec![
        entry::<KmeansMethod>(),
        entry::<DbscanMethod>(),
        entry::<HdbscanMethod>(),
        entry::<SomMethod>(),
    ]
}

/// A method by its name, with settings; `None` if there is none of this name.
///
/// # Errors
/// If a setting is not allowed.
pub fn method(name: &str, settings: &Table, data: &DataSpec) -> Result<Option<Box<dyn Method>>> {
    Ok(Some(match name {
        "kmeans" => Box::new(KmeansMethod::new(settings, data)?),
        "dbscan" => Box::new(DbscanMethod::new(settings, data)?),
        "hdbscan" => Box::new(HdbscanMethod::new(settings, data)?),
        "som" => Box::new(SomMethod::new(settings, data)?),
        _ => return Ok(None),
    }))
}

/// K-means with settings.
///
/// # Errors
/// If a setting is not allowed.
pub(crate) fn kmeans(settings: &Table, data: &DataSpec) -> Result<KmeansMethod> {
    KmeansMethod::new(settings, data)
}

fn entry<M: Listed + 'static>() -> ModelEntry {
    use crate::model::{Capability, KindName, Learning, Task};
    ModelEntry {
        name: M::NAME,
        about: M::ABOUT,
        paper: M::PAPER,
        tasks: &[Task::Clustering],
        capabilities: match M::ASSIGNING {
            Assigning::Never => &[Capability::OwnClusters],
            Assigning::Exact | Assigning::Approximate => &[Capability::Clusters],
        },
        validation: &[],
        learning: Learning::Fit,
        kinds: &[KindName::Real, KindName::Count, KindName::Binary, KindName::Levels],
        presets: &[],
        fields: M::fields,
        size: M::size,
        build: |settings, data, _| {
            data.check_kinds(M::NAME, method::KINDS)?;
            let method = Box::new(M::new(settings, data)?);
            Ok(Box::new(ClusteringModel { method, data: data.clone() }))
        },
        train: |_| Table::new(),
        complete: |_, _| {},
    }
}

/// A method as a model.
struct ClusteringModel {
    method: Box<dyn Method>,
    data: DataSpec,
}

impl Model for ClusteringModel {
    fn name(&self) -> &'static str {
        self.method.name()
    }

    fn settings(&self) -> Table {
        self.method.settings()
    }

    fn data(&self) -> &DataSpec {
        &self.data
    }

    fn tensors(&self) -> NamedTensors {
        self.method.tensors()
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        self.method.load(tensors)
    }

    fn clusterer(&self) -> Option<&dyn Clusterer> {
        Some(self)
    }

    fn estimator(&mut self) -> Option<&mut dyn Estimator> {
        Some(self)
    }
}

impl Clusterer for ClusteringModel {
    fn clusters(&self) -> usize {
        self.method.clusters()
    }

    fn assigning(&self) -> Assigning {
        self.method.assigning()
    }

    fn assign(&self, batch: &Batch) -> Result<Assignments> {
        check_batch(self, batch)?;
        if batch.is_empty() {
            return Ok(Assignments::default());
        }
        self.method.assign(&gather::of_batch(batch, &self.data))
    }
}

impl Estimator for ClusteringModel {
    fn fit(&mut self, examples: &Examples, context: &mut FitContext<'_>) -> Result<FitReport> {
        context.check_stop()?;
        let matrix = Matrix::gather(examples, &self.data)?;
        let streams = RunStreams(context.streams);
        let progress = &mut *context.progress;
        let told = &mut |done: u64, total: u64| progress(done as f64 / total.max(1) as f64);
        let watch = &mut Watch::new(Some(context.stop), told);
        let found = self.method.cluster(&matrix, &Given::default(), &streams, watch)?;
        if found.stopped {
            return Err(crate::Error::Interrupted);
        }
        self.method.keep(&found, &matrix);
        (context.progress)(1.0);
        let estimates = found.values.iter().map(|(name, value)| Estimate {
            name: (*name).to_owned(),
            value: *value,
            stderr: None,
        });
        Ok(FitReport { estimates: estimates.collect(), notes: found.notes, ..FitReport::default() })
    }
}
