//! Self-organizing maps as models; the cluster of a row is its unit.

use burn::tensor::TensorData;
use toml::Table;

use super::super::som::{Grid, Neighborhood, Som, SomConfig, SomInit, Training};
use super::super::{Points, UniformStreams, Watch};
use super::errors::{not_fitted, wrong};
use super::gather::{Matrix, with_points};
use super::method::{Clustering, Found, Given, Listed, Method};
use crate::distributions::take;
use crate::model::{Assigning, Assignments, DataSpec, NamedTensors, Size, SizeBuilder, product};
use crate::settings::{Field, Settings, above_to};
use crate::{Result, choices, settings};

choices! {
    /// The shape of a grid.
    pub enum GridSetting {
        /// square lattice
        Rectangular = "rectangular",
        /// square lattice whose opposite edges are joined
        Torus = "torus",
        /// every second row half a step to the right
        Hexagonal = "hexagonal",
    }
}

choices! {
    /// The neighborhood of the best matching unit.
    pub enum NeighborhoodSetting {
        /// exp(−d² / 2σ²) of the distance d on the grid
        Gaussian = "gaussian",
        /// 1 within the radius σ
        Bubble = "bubble",
    }
}

choices! {
    /// How weights start.
    pub enum SomStart {
        /// on the plane of the first two principal components
        Pca = "pca",
        /// random rows
        Random = "random",
    }
}

choices! {
    /// How weights are trained.
    pub enum SomTraining {
        /// one update for each pass over all rows
        Batch = "batch",
        /// one update for each row
        Online = "online",
    }
}

settings! {
    /// Settings of a self-organizing map.
    pub struct SomSettings {
        /// Rows of the grid.
        pub rows: usize = 10, in 1..=1000;
        /// Columns of the grid.
        pub columns: usize = 10, in 1..=1000;
        /// Shape of the grid.
        pub grid: GridSetting = GridSetting::Rectangular;
        /// Neighborhood of the best matching unit.
        pub neighborhood: NeighborhoodSetting = NeighborhoodSetting::Gaussian, also ["neighborhood_function"];
        /// First radius of the neighborhood, in steps of the grid; it falls to a third. 0 for half the
        /// longer side.
        pub sigma: f64 = 0.0, in 0.0..;
        /// How weights start.
        pub init: SomStart = SomStart::Pca;
        /// How weights are trained.
        pub training: SomTraining = SomTraining::Batch;
        /// Passes over the rows.
        pub epochs: usize = 20, in 1..=1_000_000;
        /// First learning rate of online training; it falls to a third.
        pub learning_rate: f64 = 0.5, in above_to(0.0, 1.0);
        /// Updates of online training, instead of passes over the rows; 0 for epochs times rows.
        pub updates: usize = 0, in 0..=1_000_000_000_000;
        /// Whether rows come in a new random order in each pass of online training.
        pub shuffle: bool = true;
    }
}

/// A self-organizing map.
#[derive(Debug)]
pub struct SomMethod {
    settings: SomSettings,
    data: DataSpec,
    /// `[rows · columns, columns of the data]`.
    weights: Vec<f64>,
    trained: bool,
}

impl SomMethod {
    fn grid(&self) -> Grid {
        match self.settings.grid {
            GridSetting::Rectangular => Grid::Rectangular,
            GridSetting::Torus => Grid::Torus,
            GridSetting::Hexagonal => Grid::Hexagonal,
        }
    }

    fn units(&self) -> usize {
        self.settings.rows * self.settings.columns
    }
}

impl Listed for SomMethod {
    const NAME: &'static str = "som";
    const ABOUT: &'static str =
        "self-organizing map: units on a grid, such that near units are alike";
    const PAPER: &'static str = "Kohonen 1982";
    const ASSIGNING: Assigning = Assigning::Exact;

    fn fields() -> Vec<Field> {
        SomSettings::fields()
    }

    fn new(settings: &Table, data: &DataSpec) -> Result<Self> {
        let settings = SomSettings::from_table(settings)?;
        settings.check_values()?;
        let weights = vec![0.0; settings.rows * settings.columns * data.size()];
        Ok(Self { settings, data: data.clone(), weights, trained: false })
    }

    fn size(settings: &Table, data: &DataSpec) -> Result<Size> {
        let settings = SomSettings::from_table(settings)?;
        let mut size = SizeBuilder::default();
        size.buffer(&[settings.rows, settings.columns, product(data.shape.dims())]);
        Ok(size.finish())
    }
}

impl Method for SomMethod {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn settings(&self) -> Table {
        self.settings.to_table()
    }

    fn cluster(
        &self,
        matrix: &Matrix,
        _: &Given,
        streams: &dyn UniformStreams,
        watch: &mut Watch<'_>,
    ) -> Result<Clustering> {
        let of = &self.settings;
        let config = SomConfig {
            rows: of.rows,
            columns: of.columns,
            grid: self.grid(),
            neighborhood: match of.neighborhood {
                NeighborhoodSetting::Gaussian => Neighborhood::Gaussian,
                NeighborhoodSetting::Bubble => Neighborhood::Bubble,
            },
            sigma: (of.sigma > 0.0).then_some(of.sigma),
            init: match of.init {
                SomStart::Pca => SomInit::Pca,
                SomStart::Random => SomInit::Random,
            },
            training: match of.training {
                SomTraining::Batch => Training::Batch { epochs: of.epochs },
                SomTraining::Online => Training::Online {
                    updates: match of.updates {
                        0 => of.epochs.saturating_mul(matrix.rows()),
                        updates => updates,
                    },
                    learning_rate: of.learning_rate,
                    shuffle: of.shuffle,
                },
            },
        };
        let (som, assigned) = with_points!(matrix, points => {
            let som = config.fit_watched(points, streams, watch)?;
            let assigned = som.assign(points)?;
            Ok((som, assigned))
        })
        .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let mut values = vec![("quantization_error", som.quantization_error(&assigned))];
        values.extend(som.topographic_error(&assigned).map(|error| ("topographic_error", error)));
        let mut notes = Vec::new();
        if som.trained() < 1.0 {
            notes.push(format!(
                "stopped after {:.0} % of the training; near units may not be alike yet",
                100.0 * som.trained()
            ));
        }
        Ok(Clustering {
            stopped: som.trained() < 1.0,
            labels: assigned.iter().map(|found| Some(found.center)).collect(),
            clusters: self.units(),
            values,
            notes,
            found: Found::Som(Box::new(som), assigned),
        })
    }

    fn keep(&mut self, found: &Clustering, _: &Matrix) {
        if let Found::Som(som, _) = &found.found {
            self.weights = som.weights().to_vec();
            self.trained = true;
        }
    }

    fn tensors(&self) -> NamedTensors {
        let SomSettings { rows, columns, .. } = self.settings;
        let shape = [rows, columns, self.data.size()];
        vec![("model.weights".to_owned(), TensorData::new(self.weights.clone(), shape))]
    }

    fn load(&mut self, tensors: &NamedTensors) -> Result<()> {
        let size = self.units() * self.data.size();
        self.weights = take(Self::NAME, tensors, "model.weights", size)?;
        self.trained = true;
        Ok(())
    }

    fn clusters(&self) -> usize {
        if self.trained { self.units() } else { 0 }
    }

    fn assigning(&self) -> Assigning {
        Self::ASSIGNING
    }

    fn assign(&self, rows: &Matrix) -> Result<Assignments> {
        if !self.trained {
            return Err(not_fitted(Self::NAME));
        }
        let SomSettings { rows: height, columns: width, .. } = self.settings;
        let size = self.data.size();
        let values = rows.doubles();
        let found = Som::new(self.grid(), height, width, self.weights.clone(), size)
            .and_then(|som| som.assign(Points::new(&values, size)?))
            .map_err(|error| wrong(Self::NAME, &self.data, error))?;
        let labels = found.iter().map(|found| Some(found.center)).collect();
        Ok(Assignments { labels, responsibilities: None })
    }
}
