//! The specification of a model's data, and the device and random streams of its initial weights.

use ancestral_data::{Domain, Shape, Streams};
use ancestral_kernels::Precision;
use burn::tensor::{DType, Device, TensorData};

pub use crate::columns::{ColumnKind, KindName};
use crate::{Error, Result};

/// Tensors by name, in the order the model lists them; a name is `part.path.to.tensor`.
pub type NamedTensors = Vec<(String, TensorData)>;

/// The CPU device.
pub fn cpu() -> Device {
    Device::flex()
}

/// The kinds of the columns of an example.
#[derive(Debug, Clone, PartialEq)]
pub enum Columns {
    /// One kind for all, such as the pixels of an image.
    Same(ColumnKind),
    /// One kind for each.
    Each(Vec<ColumnKind>),
}

/// The specification of the data of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSpec {
    /// The kinds of the columns, after binarization.
    pub columns: Columns,
    /// The shape of one example.
    pub shape: Shape,
    /// The number of classes; 0 for data without labels.
    pub classes: usize,
    /// The names of the columns of a table; empty for images and unnamed columns.
    pub names: Vec<String>,
    /// The names of the classes; empty where they are their numbers.
    pub class_names: Vec<String>,
    /// What is subtracted from each real column before the network, in double precision; empty where
    /// a network standardizes its columns by moments of its own.
    pub offset: Vec<f64>,
    /// What each column is then divided by.
    pub scale: Vec<f64>,
    /// How often each level occurs in the training data, for models that ask for it; else empty.
    pub histogram: Vec<u64>,
}

impl DataSpec {
    /// Data whose columns are all of one domain.
    pub fn new(domain: Domain, shape: Shape, classes: usize) -> Self {
        Self {
            columns: Columns::Same(domain.into()),
            shape,
            classes,
            names: Vec::new(),
            class_names: Vec::new(),
            offset: Vec::new(),
            scale: Vec::new(),
            histogram: Vec::new(),
        }
    }

    /// The number of entries of an example.
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// The kind of a column.
    pub fn kind(&self, column: usize) -> Option<ColumnKind> {
        match &self.columns {
            Columns::Same(kind) => (column < self.size()).then_some(*kind),
            Columns::Each(kinds) => kinds.get(column).copied(),
        }
    }

    /// The name of a class, or its number.
    pub fn class_name(&self, class: usize) -> String {
        self.class_names.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// The name of a column, or `x` and its number.
    pub fn column_name(&self, column: usize) -> String {
        self.names.get(column).cloned().unwrap_or_else(|| format!("x{column}"))
    }

    /// The common domain of all columns, if they have one.
    pub fn domain(&self) -> Option<Domain> {
        let kind = match &self.columns {
            Columns::Same(kind) => *kind,
            Columns::Each(kinds) => {
                let first = *kinds.first()?;
                kinds.iter().all(|kind| *kind == first).then_some(first)?
            }
        };
        match kind {
            ColumnKind::Binary => Some(Domain::Binary),
            ColumnKind::Levels(n) => Some(Domain::Levels(n)),
            ColumnKind::Real => Some(Domain::Real),
            ColumnKind::Count | ColumnKind::Category(_) => None,
        }
    }

    /// Refuses columns of a kind that `model` does not take.
    ///
    /// # Errors
    /// Naming the first such column, and the kinds that are taken.
    pub fn check_kinds(&self, model: &str, taken: &[KindName]) -> Result<()> {
        let kinds: &[ColumnKind] = match &self.columns {
            Columns::Same(kind) => std::slice::from_ref(kind),
            Columns::Each(kinds) => kinds,
        };
        match kinds.iter().position(|kind| !taken.contains(&kind.name())) {
            None => Ok(()),
            Some(column) => Err(Error::UnsuitableKind {
                model: model.to_owned(),
                column: self.column_name(column),
                kind: kinds[column],
                taken: taken.to_vec(),
                others: Vec::new(),
            }),
        }
    }

    /// The common domain of all columns, for a model that needs one of these kinds.
    ///
    /// # Errors
    /// Naming the first column of a kind that is not taken, or that differs from the first.
    pub fn one_domain(&self, model: &str, taken: &[KindName]) -> Result<Domain> {
        self.check_kinds(model, taken)?;
        self.domain().ok_or_else(|| {
            let first = self.kind(0);
            let other = (0..self.size()).find(|&column| self.kind(column) != first).unwrap_or(0);
            Error::UnsuitableData {
                model: model.to_owned(),
                problem: format!(
                    "it takes columns of one kind; '{}' is {} and '{}' is {}",
                    self.column_name(0),
                    first.map_or("absent".to_owned(), |kind| kind.to_string()),
                    self.column_name(other),
                    self.kind(other).map_or("absent".to_owned(), |kind| kind.to_string()),
                ),
            }
        })
    }
}

/// The device, type and random streams of a model's initial weights.
#[derive(Debug, Clone)]
pub struct Init {
    /// The device that holds the weights.
    pub device: Device,
    /// The weights' type: `F32`, or `F64` where gradients are checked.
    pub dtype: DType,
    /// The random streams of the initial weights.
    pub streams: Streams,
    /// The precision of the products of dense layers and of convolutions.
    pub precision: Precision,
}

impl Init {
    /// Single precision.
    pub fn new(device: &Device, seed: u64) -> Self {
        Self {
            device: device.clone(),
            dtype: DType::F32,
            streams: Streams::new(seed),
            precision: Precision::F32,
        }
    }

    /// The same with another precision of products.
    pub fn with_precision(&self, precision: impl Into<Precision>) -> Self {
        Self { precision: precision.into(), ..self.clone() }
    }

    /// Double precision, for checks against finite differences.
    pub fn double(device: &Device, seed: u64) -> Self {
        Self { dtype: DType::F64, ..Self::new(device, seed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(kinds: Vec<ColumnKind>) -> DataSpec {
        DataSpec {
            shape: Shape::columns(kinds.len()),
            columns: Columns::Each(kinds),
            classes: 0,
            names: vec!["age".to_owned(), "town".to_owned()],
            class_names: Vec::new(),
            offset: Vec::new(),
            scale: Vec::new(),
            histogram: Vec::new(),
        }
    }

    #[test]
    fn kinds_that_are_not_taken_are_named_with_their_column() {
        let table = mixed(vec![ColumnKind::Real, ColumnKind::Category(4), ColumnKind::Count]);
        let error = table.check_kinds("nade", &[KindName::Real]).unwrap_err().to_string();
        assert!(error.contains("'town' is of 4 categories"), "{error}");
        assert!(error.contains("takes real columns"), "{error}");
        let all = [KindName::Real, KindName::Category, KindName::Count];
        assert!(table.check_kinds("gmm", &all).is_ok());
        let error = table.one_domain("vae", &all).unwrap_err().to_string();
        assert!(error.contains("'age' is real and 'town' is of 4 categories"), "{error}");
    }

    #[test]
    fn columns_of_one_kind_are_a_domain() {
        let table = mixed(vec![ColumnKind::Levels(5); 2]);
        assert_eq!(table.one_domain("vae", &[KindName::Levels]).unwrap(), Domain::Levels(5));
        assert_eq!(mixed(vec![ColumnKind::Count; 2]).domain(), None);
        let image = DataSpec::new(Domain::Binary, Shape::image(1, 2, 2), 0);
        assert_eq!((image.kind(3), image.kind(4)), (Some(ColumnKind::Binary), None));
        assert_eq!(image.column_name(2), "x2");
    }
}
