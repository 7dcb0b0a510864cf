//! K-means as a model.

use burn::tensor::TensorData;
use toml::Table;

use super::super::kmeans::{Init, KmeansConfig};
use super::super::{Points, UniformStreams};
use super::errors::{not_fitted, wrong};
use super::gather::{Matrix, with_points};
use super::method::{Clustering, Found, Given, Listed, Method};
use crate::distributions::take;
use crate::model::{Assigning, Assignments, DataSpec, NamedTensors, Size, SizeBuilder, product};
use crate::settings::{Field, Settings};
use crate::{Error, Result, choices, settings};

choices! {
    /// How starting centers are chosen.
    pub enum KmeansInit {
        /// greedy k-means++: rows far from the centers before
        PlusPlus = "k-means++",
        /// random rows
        Random = "random",
        /// the centers of a file, as in --set init=centers.csv
        Given = "given",
    }
}

settings! {
    /// Settings of K-means, with scikit-learn's names and defaults.
    pub struct KmeansSettings {
        /// Number of clusters; a range, as in 2..12, compares numbers of clusters.
        pub n_clusters: usize = 8, in 1..=1_000_000;
        /// How starting centers are chosen; the name of a .csv or .npy file gives them.
        pub init: KmeansInit = KmeansInit::PlusPlus;
        /// Number of starts, of which the one with the least inertia is kept; 0 for 1 start, and for 10
        /// from random rows.
        pub n_init: usize = 0, in 0..=100_000;
        /// Maximum number of iterations.
        pub max_iter: usize = 300, in 1..;
        /// Sum of squared shifts of the centers at convergence, relative to the mean variance of the
        /// columns; at 0, iterations end when no label changes.
        pub tol: f64 = 1e-4, in 0.0..;
    }
}

/// K-means.
#[derive(Debug)]
pub struct KmeansMethod {
    settings: KmeansSettings,
    data: DataSpec,
    /// `[n_clusters, columns]`; the rows after the clusters that were found are 0.
    centers: Vec<f64>,
    /// Rows of each cluster, `[n_clusters]`.
    sizes: Vec<f64>,
}

impl KmeansMethod {
    fn found(&self) -> usize {
        self.sizes.iter().filter(|&&size| size > 0.0).count()
    }
}

impl Listed for KmeansMethod {
    const NAME: &'static str = "kmeans";
    const ABOUT: &'static str =
        "K-means: k centers with the least sum of squared distances to their rows";
    const PAPER: &'static str = "Lloyd 1982; Arthur and Vassilvitskii 2007";
    const ASSIGNING: Assigning = Assigning::Exact;

    fn fields() -> Vec<Field> {
        KmeansSettings::fields()
    }

    fn new(settings: &Table, data: &DataSpec) -> Result<Self> {
        let settings = KmeansSettings::from_table(settings)?;
        settings.check_values()?;
        let k = settings.n_clusters;
        let centers = vec![0.0; k * data.size()];
        Ok(Self { sizes: vec![0.0; k], settings, data: data.clone(), centers })
    }

    fn size(settings: &Table, data: &DataSpec) -> Result<Size> {
        let k = KmeansSettings::from_table(settings)?.n_clusters;
        let mut size = SizeBuilder::default();
        size.buffer(&[k, product(data.shape.dims())]);
        size.buffer(&[k]);
        Ok(size.finish())
    }
}

impl Method for KmeansMethod {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn settings(&self) -> Table {
        self.settings.to_table()
    }

    fn cluster(
        &self,
        matrix: &Matrix,
        given: &Given,
        streams: &dyn UniformStreams,
    ) -> Result<Clustering> {
        let of = &self.settings;
        let init = match (of.init, &given.centers) {
            (KmeansInit::PlusPlus, _) => Init::PlusPlus,
            (KmeansInit::Random, _) => Init::Random,
            (KmeansInit::Given, Some(centers)) => Init::Centers(centers.clone()),
            (KmeansInit::Given, None) => {
                let allowed = "give a file of centers, as in init=centers.csv";
                return Err(Error::setting("init", "given", allowed));
            }
        };
        let config = KmeansConfig {
            n_clusters: of.n_clusters,
            init,
            n_init: (of.n_init > 0).then_some(of.n_init),
            max_iter: of.max_iter,
            tol: of.tol,
        };
        let weights = given.weights.as_deref();
        let found = with_points!(matrix, points => config.fit(points, weights, streams))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let mut notes = Vec::new();
        let clusters = found.centers.len() / found.columns;
        if let Some(asked) = found.missing_from {
            notes.push(format!(
                "{clusters} cluster{} instead of {asked}: no more rows are distinct",
                if clusters == 1 { "" } else { "s" }
            ));
        }
        if !found.converged {
            notes.push(format!("no convergence within {} iterations; raise max_iter", of.max_iter));
        }
        Ok(Clustering {
            labels: found.labels.iter().map(|&label| Some(label)).collect(),
            clusters,
            values: vec![("inertia", found.inertia), ("iterations", found.iterations as f64)],
            notes,
            found: Found::Kmeans(found),
        })
    }

    fn keep(&mut self, found: &Clustering, _: &Matrix) {
        let Found::Kmeans(kmeans) = &found.found else { return };
        self.centers.fill(0.0);
        self.centers[..kmeans.centers.len()].copy_from_slice(&kmeans.centers);
        self.sizes.fill(0.0);
        kmeans.labels.iter().for_each(|&label| self.sizes[label as usize] += 1.0);
    }

    fn tensors(&self) -> NamedTensors {
        let (k, columns) = (self.settings.n_clusters, self.data.size());
        vec![
            ("model.centers".to_owned(), TensorData::new(self.centers.clone(), [k, columns])),
            ("model.sizes".to_owned(), TensorData::new(self.sizes.clone(), [k])),
        ]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let (k, columns) = (self.settings.n_clusters, self.data.size());
        let centers = take(Self::NAME, tensors, "model.centers", k * columns)?;
        self.sizes = take(Self::NAME, tensors, "model.sizes", k)?;
        self.centers = centers;
        Ok(())
    }

    fn clusters(&self) -> usize {
        self.found()
    }

    fn assigning(&self) -> Assigning {
        Self::ASSIGNING
    }

    fn assign(&self, rows: &Matrix) -> Result<Assignments> {
        let (k, columns) = (self.found(), self.data.size());
        if k == 0 {
            return Err(not_fitted(Self::NAME));
        }
        let values = rows.doubles();
        let nearest = Points::new(&values, columns)
            .map(|points| super::super::nearest::nearest(points, &self.centers[..k * columns]))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let labels = nearest.iter().map(|nearest| Some(nearest.center)).collect();
        Ok(Assignments { labels, responsibilities: None })
    }
}
