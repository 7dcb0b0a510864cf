//! Samples as an image.

use ancestral_data::Domain;
use ancestral_plot::Image;

use super::plane::{POINTS, Plane};
use crate::Result;
use crate::model::{self, Model, SampleRequest};

/// A grid of images, enlarged for viewing; values are intensities in \[0, 1\].
pub fn grid(values: &[f32], shape: [usize; 3], columns: usize) -> Image {
    Image::grid(values, shape, columns, scale(shape))
}

/// The approximate size in bytes of a [`grid`] of `count` images, including its file.
pub fn grid_bytes(count: usize, shape: [usize; 3]) -> u64 {
    let side = |pixels: usize| ((pixels + 1) * scale(shape)) as u64;
    let pixels = side(shape[1]).saturating_mul(side(shape[2])).saturating_mul(count as u64);
    // Three channels, and the same again for the file.
    pixels.saturating_mul(6)
}

/// The factor by which images are enlarged.
fn scale([_, height, width]: [usize; 3]) -> usize {
    (64 / height.max(width)).clamp(1, 8)
}

/// Values of a model's columns as intensities in \[0, 1\]; reals unchanged.
pub fn intensities(model: &dyn Model, values: &[f64]) -> Vec<f32> {
    let top = model.data().domain().and_then(Domain::max_level).unwrap_or(1) as f32;
    values.iter().map(|&value| value as f32 / top).collect()
}

/// The names of the channels of images: R, G and B for three, none for one.
pub(super) fn channel_names(channels: usize) -> Vec<String> {
    match channels {
        1 => Vec::new(),
        3 => ["R", "G", "B"].map(String::from).to_vec(),
        _ => (0..channels).map(|channel| format!("channel {channel}")).collect(),
    }
}

/// An image of `count` samples by seed: a grid of images, next to their means if these differ; for
/// two columns, a scatter plot over the data. `None` for other data, and for models that cannot be
/// sampled.
///
/// # Errors
/// Those of sampling.
pub fn samples(
    model: &dyn Model,
    count: usize,
    seed: u64,
    plane: Option<&Plane>,
) -> Result<Option<Image>> {
    let Some(sampler) = model.sampler() else { return Ok(None) };
    let request = SampleRequest::new(count, seed);
    if let Some(shape) = model.data().shape.as_image() {
        let columns = (count as f64).sqrt().ceil() as usize;
        let draw = |mean: bool| -> Result<_> {
            let values = model::sample(model, &SampleRequest { mean, ..request.clone() })?;
            Ok(grid(&intensities(model, &values), shape, columns))
        };
        let mut parts = vec![("samples", draw(false)?)];
        if sampler.has_noise() {
            parts.push(("means of the last conditional", draw(true)?));
        }
        return Ok(Some(Image::hstack(&parts)));
    }
    let Some(plane) = plane else { return Ok(None) };
    let request = SampleRequest { count: count.max(POINTS), ..request };
    Ok(Some(plane.draw(model, &model::sample(model, &request)?)?))
}
