//! DBSCAN as a model, which keeps its labels and assigns no other rows.

use burn::tensor::TensorData;
use toml::Table;

use super::super::dbscan::DbscanConfig;
use super::super::{Metric, UniformStreams, Watch};
use super::errors::wrong;
use super::gather::{Matrix, with_points};
use super::method::{
    Clustering, Found, Given, Listed, Method, MetricSetting, any_length, clusters_of,
};
use crate::model::{Assigning, Assignments, DataSpec, NamedTensors, Size};
use crate::settings::{Field, Settings, above};
use crate::{Error, Result, settings};

settings! {
    /// Settings of DBSCAN, with scikit-learn's names and defaults.
    pub struct DbscanSettings {
        /// Largest distance between neighbors; `ancestral cluster eps` helps to choose it.
        pub eps: f64 = 0.5, in above(0.0);
        /// Neighbors within eps that make a row a core row, itself included.
        pub min_samples: usize = 5, in 1..;
        /// Distance between rows.
        pub metric: MetricSetting = MetricSetting::Euclidean;
    }
}

/// DBSCAN.
#[derive(Debug)]
pub struct DbscanMethod {
    settings: DbscanSettings,
    data: DataSpec,
    /// The cluster of each row, −1 for noise.
    labels: Vec<f64>,
    /// 1 for core rows.
    core: Vec<f64>,
}

impl Listed for DbscanMethod {
    const NAME: &'static str = "dbscan";
    const ABOUT: &'static str =
        "DBSCAN: clusters of any shape where rows are dense, and noise elsewhere";
    const PAPER: &'static str = "Ester, Kriegel, Sander and Xu 1996";
    const ASSIGNING: Assigning = Assigning::Never;

    fn fields() -> Vec<Field> {
        DbscanSettings::fields()
    }

    fn new(settings: &Table, data: &DataSpec) -> Result<Self> {
        let settings = DbscanSettings::from_table(settings)?;
        settings.check_values()?;
        Ok(Self { settings, data: data.clone(), labels: Vec::new(), core: Vec::new() })
    }

    fn size(settings: &Table, _: &DataSpec) -> Result<Size> {
        // What is kept depends on the rows.
        DbscanSettings::from_table(settings).map(|_| Size::default())
    }
}

impl Method for DbscanMethod {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn settings(&self) -> Table {
        self.settings.to_table()
    }

    fn metric(&self) -> Metric {
        self.settings.metric.into()
    }

    fn cluster(
        &self,
        matrix: &Matrix,
        _: &Given,
        _: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Clustering> {
        let DbscanSettings { eps, min_samples, .. } = self.settings;
        let config = DbscanConfig { eps, min_samples, metric: self.metric() };
        let found = with_points!(matrix, points => config.fit_watched(points, watch))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let core = found.core.iter().filter(|&&core| core).count();
        let mut notes = Vec::new();
        if found.clusters == 0 {
            notes.push(format!(
                "all rows are noise: none has {min_samples} rows within {eps}; raise eps \
                 (`cluster eps` draws the distances) or lower min_samples"
            ));
        }
        Ok(Clustering {
            stopped: false,
            labels: found.labels.clone(),
            clusters: found.clusters,
            values: vec![("core_rows", core as f64)],
            notes,
            found: Found::Dbscan(found),
        })
    }

    fn keep(&mut self, found: &Clustering, _: &Matrix) {
        let Found::Dbscan(dbscan) = &found.found else { return };
        self.labels = dbscan.labels.iter().map(|label| label.map_or(-1.0, f64::from)).collect();
        self.core = dbscan.core.iter().map(|&core| f64::from(u8::from(core))).collect();
    }

    fn tensors(&self) -> NamedTensors {
        let n = self.labels.len();
        vec![
            ("model.labels".to_owned(), TensorData::new(self.labels.clone(), [n])),
            ("model.core".to_owned(), TensorData::new(self.core.clone(), [n])),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let [labels, core] = any_length(Self::NAME, tensors, ["labels", "core"])?;
        (self.labels, self.core) = (labels, core);
        Ok(())
    }

    fn clusters(&self) -> usize {
        clusters_of(&self.labels)
    }

    fn assigning(&self) -> Assigning {
        Self::ASSIGNING
    }

    fn assign(&self, _: &Matrix) -> Result<Assignments> {
        Err(Error::Unsupported {
            model: Self::NAME.to_owned(),
            problem: "cannot assign other rows: its clusters are sets of the rows that were \
                      clustered; cluster all rows together, or use hdbscan or kmeans"
                .to_owned(),
        })
    }
}
