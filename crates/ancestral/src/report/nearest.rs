//! Samples compared with their nearest training examples.

use ancestral_data::{Examples, SplitName};
use ancestral_plot::Image;
use serde::Serialize;

use super::samples::grid;
use crate::evaluate::{self, Neighbor, Rows, spread};
use crate::{Error, Result};

/// The largest number of examples whose nearest training example is searched for.
const LOOKED_AT: usize = 1000;
/// Pairs in the image, and how many per row.
const PAIRS: usize = 32;
const ACROSS: usize = 16;

/// How far samples are from the nearest training example, in pixels of \[0, 1\].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Nearest {
    /// Number of samples.
    pub n: usize,
    /// The median distance of samples.
    pub median: f64,
    /// Number of reference examples.
    pub n_reference: usize,
    /// The median distance of reference examples, unless the reference is the training split.
    pub reference_median: Option<f64>,
    /// Number of samples that equal a training example.
    pub copies: usize,
}

/// An image of some samples above their nearest training examples, and the distances of more
/// samples; `values` are images in the levels of the examples.
///
/// # Errors
/// If the examples are not images.
pub fn nearest_examples(
    values: &[f64],
    reference: &Examples,
    train: &Examples,
) -> Result<(Image, Nearest)> {
    let shape = train.shape();
    let Some(image) = shape.as_image() else {
        return Err(Error::NoImage { shape: shape.clone() });
    };
    let size = shape.size();
    let unit = 1.0 / train.domain().max_level().unwrap_or(1) as f32;
    let all = |examples: &Examples, chosen: &[u64]| -> Vec<f32> {
        examples.batch(chosen, 0).values.iter().map(|&v| v as f32 * unit).collect()
    };
    let n = values.len() / size;
    let rows: Vec<f32> = spread(LOOKED_AT, n)
        .flat_map(|i| values[i * size..(i + 1) * size].iter().map(|&v| v as f32 * unit))
        .collect();
    let known = all(train, &(0..train.len() as u64).collect::<Vec<_>>());
    let others: Vec<u64> = spread(LOOKED_AT, reference.len()).map(|i| i as u64).collect();
    let others = all(reference, &others);
    let known_rows = Rows::new(&known, size, "training examples")?;
    let found = evaluate::nearest(Rows::new(&rows, size, "samples")?, known_rows, 1)?;
    let of_others = evaluate::nearest(Rows::new(&others, size, "reference")?, known_rows, 1)?;
    let median = |found: &[Vec<Neighbor>]| {
        let mut all: Vec<f64> = found.iter().flatten().map(|n| n.distance).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(0.0)
    };
    let shown: Vec<usize> = spread(PAIRS, found.len()).collect();
    let mut bands = Vec::new();
    for band in shown.chunks(ACROSS) {
        // An incomplete row is filled with white.
        let white = || std::iter::repeat_n(1.0, (ACROSS - band.len()) * size);
        let mut pair: Vec<f32> = Vec::new();
        for &i in band {
            pair.extend_from_slice(&rows[i * size..(i + 1) * size]);
        }
        pair.extend(white());
        for &i in band {
            let at = found[i][0].index;
            pair.extend_from_slice(&known[at * size..(at + 1) * size]);
        }
        pair.extend(white());
        let caption = if bands.is_empty() {
            "samples above, their nearest training examples (pixel distance) below"
        } else {
            ""
        };
        bands.push((caption, grid(&pair, image, ACROSS)));
    }
    let nearest = Nearest {
        n: found.len(),
        median: median(&found),
        n_reference: of_others.len(),
        reference_median: (reference.split_name() != SplitName::Train).then(|| median(&of_others)),
        copies: found.iter().flatten().filter(|n| n.distance == 0.0).count(),
    };
    Ok((Image::vstack(&bands), nearest))
}
