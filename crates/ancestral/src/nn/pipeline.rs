//! From a batch to the tensors of a model: levels, standardized real data, classes.

use std::borrow::Cow;

use ancestral_data::{Batch, Domain, Examples};
use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::{as_f64, frozen, rows, to_f64};
use crate::spec::{DataSpec, Init};
use crate::{Error, Result};

/// Mean and standard deviation of real data, fitted on the training split; 0 and 1 where columns are
/// standardized in double precision before.
#[derive(Module, Debug)]
pub(crate) struct Scale {
    /// `[size]`.
    mean: Param<Tensor<1>>,
    /// `[size]`.
    std: Param<Tensor<1>>,
    /// The offset and the scale of [`DataSpec`].
    offset: Vec<f64>,
    divisor: Vec<f64>,
}

impl Scale {
    /// Mean 0 and deviation 1 for real data; `None` for other data.
    pub(crate) fn init(domain: Domain, data: &DataSpec, init: &Init) -> Option<Self> {
        let size = data.size();
        (domain == Domain::Real).then(|| Self {
            mean: frozen(vec![0.0; size], init),
            std: frozen(vec![1.0; size], init),
            offset: data.offset.clone(),
            divisor: data.scale.clone(),
        })
    }

    /// Those of the given moments. A constant entry has deviation 1.
    pub(crate) fn fit(moments: &Moments, device: &Device, dtype: DType) -> Self {
        let init = Init { dtype, ..Init::new(device, 0) };
        let std = moments.means.iter().zip(&moments.stds).map(|(&m, &s)| deviation(m, s) as f32);
        Self {
            std: frozen(std.collect(), &init),
            mean: frozen(moments.means.iter().map(|&m| m as f32).collect(), &init),
            offset: Vec::new(),
            divisor: Vec::new(),
        }
    }

    /// The log-determinant of standardization, to be added to log-densities.
    pub(crate) fn log_jacobian(&self) -> f64 {
        let divisors: f64 = self.divisor.iter().map(|v| v.ln()).sum();
        -to_f64(self.std.val()).iter().map(|v| v.ln()).sum::<f64>() - divisors
    }

    /// Adds each column's part of it to terms `[rows, size]`.
    pub(crate) fn add_log_jacobian(&self, terms: &mut [f64]) {
        let mut logs: Vec<f64> = to_f64(self.std.val()).iter().map(|v| v.ln()).collect();
        logs.iter_mut().zip(&self.divisor).for_each(|(log, divisor)| *log += divisor.ln());
        for row in terms.chunks_exact_mut(logs.len()) {
            row.iter_mut().zip(&logs).for_each(|(term, log)| *term -= log);
        }
    }

    /// Entries `[rows, size]`, standardized; column i holds entry `order[i]`.
    pub(crate) fn standardize(&self, x: Tensor<2>, order: &[usize]) -> Tensor<2> {
        let index = TensorData::new(order.iter().map(|&o| o as i32).collect(), [order.len()]);
        let index: Tensor<1, Int> = Tensor::from_data(index, &x.device());
        let pick = |values: Tensor<1>| values.inner().select(0, index.clone()).unsqueeze::<2>();
        (x - pick(self.mean.val())) / pick(self.std.val())
    }

    /// Standardizes rows in the units of the data.
    pub(crate) fn standardize_rows(&self, values: &[f64]) -> Vec<f32> {
        let before = standardized(values, &self.offset, &self.divisor);
        let mut values: Vec<f32> = before.iter().map(|&v| v as f32).collect();
        let (mean, std) = (rows(self.mean.val()), rows(self.std.val()));
        for row in values.chunks_exact_mut(mean.len()) {
            row.iter_mut().zip(&mean).zip(&std).for_each(|((v, m), s)| *v = (*v - m) / s);
        }
        values
    }

    /// Standardized values in the units of the data.
    pub(crate) fn restore(&self, mut values: Vec<f32>) -> Vec<f64> {
        let (mean, std) = (rows(self.mean.val()), rows(self.std.val()));
        for row in values.chunks_exact_mut(mean.len()) {
            row.iter_mut().zip(&mean).zip(&std).for_each(|((v, m), s)| *v = *v * s + m);
        }
        let mut values = as_f64(values);
        if !self.offset.is_empty() {
            for row in values.chunks_exact_mut(self.offset.len()) {
                let columns = row.iter_mut().zip(&self.offset).zip(&self.divisor);
                columns.for_each(|((v, offset), divisor)| *v = *v * divisor + offset);
            }
        }
        values
    }
}

/// Rows in units of the scales around the offsets, in double precision; unchanged without them.
fn standardized<'a>(values: &'a [f64], offset: &[f64], scale: &[f64]) -> Cow<'a, [f64]> {
    if offset.is_empty() {
        return Cow::Borrowed(values);
    }
    let columns = || offset.iter().zip(scale).cycle();
    Cow::Owned(
        values.iter().zip(columns()).map(|(x, (offset, scale))| (x - offset) / scale).collect(),
    )
}

/// The deviation that a column is divided by: 1 for a constant one.
pub(crate) fn deviation(mean: f64, std: f64) -> f64 {
    // Rounding errors of a mean are far below this.
    if std > 1e-14 * mean.abs() && std > 0.0 { std } else { 1.0 }
}

/// Mean and standard deviation of each entry over examples.
pub(crate) struct Moments {
    pub(crate) means: Vec<f64>,
    pub(crate) stds: Vec<f64>,
}

impl Moments {
    /// Those of all examples, by Welford's algorithm, without cancellation where means are far from 0.
    pub(crate) fn of(examples: &Examples, size: usize) -> Self {
        let (mut means, mut squares) = (vec![0.0f64; size], vec![0.0f64; size]);
        let indices: Vec<u64> = (0..examples.len() as u64).collect();
        let mut count = 0.0;
        for chunk in indices.chunks(1000) {
            for row in examples.batch(chunk, 0).values.chunks_exact(size) {
                count += 1.0;
                for ((mean, square), &x) in means.iter_mut().zip(&mut squares).zip(row) {
                    let before = x - *mean;
                    *mean += before / count;
                    *square += before * (x - *mean);
                }
            }
        }
        let stds = squares.iter().map(|square| (square / count).sqrt()).collect();
        Self { means, stds }
    }
}

/// From batches to tensors: levels, standardized real data, classes.
#[derive(Debug, Clone)]
pub struct InputPipeline {
    /// The model's name, for errors.
    pub model: &'static str,
    /// The data that the model was made for.
    pub data: DataSpec,
    /// The domain of all its columns.
    pub domain: Domain,
    /// The type of the tensors.
    pub dtype: DType,
    /// The device of the tensors.
    pub device: Device,
}

impl InputPipeline {
    /// The pipeline of a model whose columns all have one domain.
    pub fn new(model: &'static str, data: &DataSpec, domain: Domain, init: &Init) -> Self {
        let (data, device) = (data.clone(), init.device.clone());
        Self { model, data, domain, dtype: init.dtype, device }
    }

    /// The scale of real data, fitted to the examples, and the mean of each entry on the scale of a
    /// decoder's outputs: standardized, or in levels.
    pub(crate) fn fit(&self, examples: &Examples) -> (Option<Scale>, Vec<f64>) {
        if !self.data.offset.is_empty() {
            // Standardized already.
            return (None, vec![0.0; self.data.size()]);
        }
        let moments = Moments::of(examples, self.data.shape.size());
        if self.domain == Domain::Real {
            let scale = Scale::fit(&moments, &self.device, self.dtype);
            (Some(scale), vec![0.0; moments.means.len()])
        } else {
            (None, moments.means)
        }
    }

    pub(crate) fn unsuitable(&self, problem: String) -> Error {
        Error::UnsuitableData { model: self.model.to_owned(), problem }
    }

    /// Values as a tensor `[rows, width]`.
    pub fn tensor(&self, values: Vec<f32>, width: usize) -> Tensor<2> {
        let rows = values.len() / width.max(1);
        Tensor::from_data(TensorData::new(values, [rows, width]), (&self.device, self.dtype))
    }

    /// The entries of `examples` examples, unchanged, as a tensor.
    ///
    /// # Errors
    /// If their number does not fit.
    pub fn entries(&self, values: &[f64], examples: usize) -> Result<Tensor<2>> {
        let size = self.data.shape.size();
        if values.len() != examples * size {
            return Err(self.unsuitable(format!(
                "examples of {} entries were given and {size} ({}) were expected",
                values.len() / examples.max(1),
                self.data.shape
            )));
        }
        Ok(self.tensor(values.iter().map(|&x| x as f32).collect(), size))
    }

    /// Rows `[examples, size]` after the standardization of [`DataSpec`] in double precision.
    pub(crate) fn in_scale<'a>(&self, values: &'a [f64]) -> Cow<'a, [f64]> {
        standardized(values, &self.data.offset, &self.data.scale)
    }

    /// Refuses missing entries.
    ///
    /// # Errors
    /// Naming the first example that has some.
    pub(crate) fn whole(&self, batch: &Batch) -> Result<()> {
        let Some(missing) = &batch.missing else { return Ok(()) };
        let size = self.data.size().max(1);
        let gaps = missing.chunks(size).zip(&batch.indices).find(|(row, _)| row.contains(&true));
        match gaps {
            None => Ok(()),
            Some((_, example)) => Err(self.unsuitable(format!(
                "entries of example {example} are missing; impute them or leave the example out"
            ))),
        }
    }

    /// The batch as the likelihood takes it: levels, or standardized real data.
    ///
    /// # Errors
    /// If entries are missing, or their number does not fit.
    pub(crate) fn observed(&self, scale: Option<&Scale>, batch: &Batch) -> Result<Tensor<2>> {
        self.whole(batch)?;
        let x = self.entries(&self.in_scale(&batch.values), batch.len())?;
        Ok(match scale {
            Some(scale) => (x - scale.mean.val().unsqueeze()) / scale.std.val().unsqueeze(),
            None => x,
        })
    }

    /// Codes as a tensor `[codes, dims]`.
    pub(crate) fn codes(&self, codes: &[f32], dims: usize) -> Result<Tensor<2>> {
        if !codes.len().is_multiple_of(dims) {
            return Err(Error::setting(
                "codes",
                format!("{} numbers", codes.len()),
                format!("each code has {dims}"),
            ));
        }
        Ok(self.tensor(codes.to_vec(), dims))
    }

    /// Levels as entries in \[0, 1\]; other values as they are.
    pub fn unit(&self, x: Tensor<2>) -> Tensor<2> {
        match self.domain {
            Domain::Levels(n) => x / f64::from(n - 1),
            Domain::Binary | Domain::Real => x,
        }
    }

    /// Classes as one-hot rows `[rows, classes]`.
    ///
    /// # Errors
    /// If there are no labels, or one is not below the number of classes.
    pub fn one_hot(&self, labels: Option<&[u32]>) -> Result<Tensor<2>> {
        let classes = self.data.classes;
        let labels = labels.ok_or_else(|| {
            self.unsuitable("it is conditional and these examples have no labels".to_owned())
        })?;
        let mut hot = vec![0.0; labels.len() * classes];
        for (row, &label) in hot.chunks_exact_mut(classes).zip(labels) {
            let slot = row.get_mut(label as usize).ok_or_else(|| {
                self.unsuitable(format!("class {label}, and the largest is {}", classes - 1))
            })?;
            *slot = 1.0;
        }
        Ok(self.tensor(hot, classes))
    }
}
