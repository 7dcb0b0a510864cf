//! The autoregressive sampler: it samples, imputes and scores one dimension at a time, for every model
//! that computes its conditionals in sequence.
//!
//! Rows are processed in blocks by their numbers, and are batch-invariant: a row has the same bits
//! whatever the other rows of its block and the number of threads. The uniform numbers of an entry do
//! not depend on its position in the ordering.

use std::collections::BTreeMap;

use ancestral_data::Streams;
use rayon::prelude::*;

use crate::likelihood::Likelihood;
use crate::model::{Completion, Conditional, SampleRequest, SampleStep, Sampler};
use crate::nn::{Scale, as_f64};
use crate::{Error, Result};

/// A model that computes its conditionals one dimension at a time.
pub(super) trait AutoregressiveSampler: Sync {
    /// The number of entries.
    fn entries(&self) -> usize;

    /// The observation model of an entry, given its outputs.
    fn likelihood(&self) -> &Likelihood;

    /// The number of rows that are processed together, of `count`.
    fn rows_at_once(&self, count: usize) -> usize;

    /// The ordering of a block of rows; the given entries must come first.
    ///
    /// # Errors
    /// If the model cannot be given these entries.
    fn ordering(
        &self,
        streams: Streams,
        block: u64,
        given: &[bool],
    ) -> Result<Box<dyn Ordering + '_>>;
}

/// An ordering of the entries, with the computation along it.
pub(super) trait Ordering: Sync {
    /// Entry numbers, first to last.
    fn order(&self) -> &[usize];

    /// The state of rows without known entries, by their numbers.
    fn begin(&self, numbers: &[u64]) -> Box<dyn SamplerState + '_>;
}

/// The state of rows whose entries become known one after another.
pub(super) trait SamplerState {
    /// The outputs `[rows, outputs of an entry]` for the entry at a position of the ordering, once
    /// those before it are known.
    fn outputs(&mut self, place: usize, out: &mut [f32]);

    /// Sets the entry at a position, with a value for each row.
    fn reveal(&mut self, place: usize, values: &[f32]);
}

/// The error for given entries that do not come first in the model's only ordering.
pub(super) fn prefix_only(model: &str, order: &[usize], given: &[bool]) -> Result<()> {
    let count = given.iter().filter(|&&g| g).count();
    match order[..count.min(order.len())].iter().find(|&&entry| !given[entry]) {
        None => Ok(()),
        Some(entry) => Err(Error::Unsupported {
            model: model.to_owned(),
            problem: format!(
                "draws its entries in one order and can be given only the first of it: {count} \
                 entries are given, and entry {entry}, which is among the first {count}, is not; a \
                 deep-nade completes any part"
            ),
        }),
    }
}

/// What is told each step of sampling.
pub(super) type Observer<'a> = &'a mut dyn FnMut(SampleStep<'_>);

/// A model whose sampler is the autoregressive one.
pub(super) trait SequentialModel {
    /// Which entries it can complete.
    const COMPLETION: Completion = Completion::Prefix;

    /// Samples, with every step told to an observer.
    fn sampled(&self, request: &SampleRequest, observer: Option<Observer<'_>>) -> Result<Vec<f64>>;

    /// The number of classes that can be requested.
    fn classes(&self) -> usize {
        0
    }
}

impl<M: SequentialModel> Sampler for M {
    fn draw(&self, request: &SampleRequest) -> Result<Vec<f64>> {
        self.sampled(request, None)
    }

    fn draw_observed(
        &self,
        request: &SampleRequest,
        observer: &mut dyn FnMut(SampleStep<'_>),
    ) -> Result<Option<Vec<f64>>> {
        self.sampled(request, Some(observer)).map(Some)
    }

    fn completion(&self) -> Completion {
        M::COMPLETION
    }

    fn classes(&self) -> usize {
        SequentialModel::classes(self)
    }
}

/// Samples rows, or completes the `known` ones.
fn sample(
    model: &dyn AutoregressiveSampler,
    request: &SampleRequest,
    known: Option<&[f32]>,
    observer: Option<Observer<'_>>,
) -> Result<Vec<f32>> {
    let (size, at_once) = (model.entries(), model.rows_at_once(request.count) as u64);
    let nothing = vec![false; size];
    let given = |row: usize| match &request.known {
        Some(known) => &known.given[row * size..(row + 1) * size],
        None => &nothing[..],
    };
    // Rows that are sampled together: those of one block with the same given entries.
    let mut groups: BTreeMap<(u64, &[bool]), Vec<usize>> = BTreeMap::new();
    for row in 0..request.count {
        let number = request.first + row as u64;
        groups.entry((number / at_once, given(row))).or_default().push(row);
    }
    let drawn_of = |block, given, rows: Vec<usize>, observer: Observer<'_>| {
        let ordering = model.ordering(request.streams, block, given)?;
        let values = draw(model, ordering.as_ref(), request, (known, given), &rows, observer);
        Ok((rows, values))
    };
    let drawn: Vec<(Vec<usize>, Vec<f32>)> = match observer {
        None => groups
            .into_par_iter()
            .map(|((block, given), rows)| drawn_of(block, given, rows, &mut |_| {}))
            .collect::<Result<_>>()?,
        // Rows do not depend on each other, so that one group after another gives the same values.
        Some(observer) => groups
            .into_iter()
            .map(|((block, given), rows)| drawn_of(block, given, rows, &mut *observer))
            .collect::<Result<_>>()?,
    };
    let mut all = vec![0.0; request.count * size];
    for (rows, values) in drawn {
        for (row, values) in rows.into_iter().zip(values.chunks_exact(size)) {
            all[row * size..(row + 1) * size].copy_from_slice(values);
        }
    }
    Ok(all)
}

/// Samples rows, or completes them, for a model whose real data is standardized by `scale`; given
/// values are returned unchanged. An observer is told every step; values do not depend on whether
/// there is one.
///
/// # Errors
/// If the model cannot be given the known entries.
pub(super) fn sample_scaled(
    model: &dyn AutoregressiveSampler,
    scale: Option<&Scale>,
    request: &SampleRequest,
    observer: Option<Observer<'_>>,
) -> Result<Vec<f64>> {
    let known: Option<Vec<f32>> = request.known.as_ref().map(|known| match scale {
        Some(scale) => scale.standardize_rows(&known.values),
        None => known.values.iter().map(|&value| value as f32).collect(),
    });
    let values = sample(model, request, known.as_deref(), observer)?;
    let mut values = match scale {
        Some(scale) => scale.restore(values),
        None => as_f64(values),
    };
    if let Some(known) = &request.known {
        for ((value, &given), &known) in values.iter_mut().zip(&known.given).zip(&known.values) {
            if given {
                *value = known;
            }
        }
    }
    Ok(values)
}

/// Samples the rows of a group, and tells an observer each step.
fn draw(
    model: &dyn AutoregressiveSampler,
    ordering: &dyn Ordering,
    request: &SampleRequest,
    (known, given): (Option<&[f32]>, &[bool]),
    rows: &[usize],
    observer: Observer<'_>,
) -> Vec<f32> {
    let (size, likelihood) = (model.entries(), model.likelihood());
    let (width, draws) = (likelihood.outputs(), likelihood.draws());
    let numbers: Vec<u64> = rows.iter().map(|&row| request.first + row as u64).collect();
    let uniforms = request.streams.purpose("sample entries", 0).uniforms(&numbers, size * draws);
    let mut result = vec![0.0; rows.len() * size];
    let mut state = ordering.begin(&numbers);
    let mut outputs = vec![0.0; rows.len() * width];
    let mut values = vec![0.0; rows.len()];
    for (place, &entry) in ordering.order().iter().enumerate() {
        let conditional = match known {
            Some(known) if given[entry] => {
                for (value, &row) in values.iter_mut().zip(rows) {
                    *value = known[row * size + entry];
                }
                None
            }
            _ => {
                state.outputs(place, &mut outputs);
                likelihood.temper(&mut outputs, request.temperature);
                let own = &uniforms[entry * draws..];
                likelihood.draw_into(&outputs, own, size * draws, &mut values);
                Some(Conditional { likelihood, outputs: &outputs })
            }
        };
        observer(SampleStep { rows, entry, conditional, values: &values });
        let shown =
            if request.mean && !given[entry] { &likelihood.mean(&outputs) } else { &values };
        for (row, &value) in result.chunks_exact_mut(size).zip(shown) {
            row[entry] = value;
        }
        state.reveal(place, &values);
    }
    result
}

/// log p(x) of each row `[rows, entries]` in nats, one dimension at a time, summed in double
/// precision.
pub(super) fn log_probability(
    model: &dyn AutoregressiveSampler,
    ordering: &dyn Ordering,
    rows: &[f32],
) -> Vec<f64> {
    let size = model.entries();
    rows.par_chunks(size * model.rows_at_once(rows.len() / size))
        .flat_map_iter(|rows| {
            let mut sums = vec![0.0f64; rows.len() / size];
            score(model, ordering, rows, |row, _, term| sums[row] += term);
            sums
        })
        .collect()
}

/// Its terms by entry `[rows, entries]`, in data order.
pub(super) fn terms(
    model: &dyn AutoregressiveSampler,
    ordering: &dyn Ordering,
    rows: &[f32],
) -> Vec<f64> {
    let size = model.entries();
    rows.par_chunks(size * model.rows_at_once(rows.len() / size))
        .flat_map_iter(|rows| {
            let mut terms = vec![0.0f64; rows.len()];
            score(model, ordering, rows, |row, entry, term| terms[row * size + entry] = term);
            terms
        })
        .collect()
}

/// Calls `each` with row, entry and the log-probability of that entry given those before it, for
/// rows that are processed together.
fn score(
    model: &dyn AutoregressiveSampler,
    ordering: &dyn Ordering,
    rows: &[f32],
    mut each: impl FnMut(usize, usize, f64),
) {
    let (size, likelihood) = (model.entries(), model.likelihood());
    let (width, count) = (likelihood.outputs(), rows.len() / size);
    let numbers: Vec<u64> = (0..count as u64).collect();
    let mut state = ordering.begin(&numbers);
    let mut outputs = vec![0.0; count * width];
    let mut values = vec![0.0; count];
    for (place, &entry) in ordering.order().iter().enumerate() {
        state.outputs(place, &mut outputs);
        for (row, value) in values.iter_mut().enumerate() {
            *value = rows[row * size + entry];
            let outputs = &outputs[row * width..(row + 1) * width];
            each(row, entry, likelihood.log_probability_of(outputs, *value));
        }
        if place + 1 < size {
            state.reveal(place, &values);
        }
    }
}
