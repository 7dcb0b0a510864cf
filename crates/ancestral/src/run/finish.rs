//! The images of a finished run: samples or reconstructions, and the animation of its training.

use std::path::{Path, PathBuf};

use ancestral_data::{Binarize, Dataset, Examples, SplitName, write_atomic_in};

use super::loaded::Run;
use crate::Result;
use crate::report::{self, Plane};

/// The number of examples that are reconstructed.
const RECONSTRUCTED: usize = 16;

/// Saves the images of a finished run in its folder, unless the run is in memory or has images
/// turned off; reconstructions are of the test split.
pub(super) fn draw(run: &Run, data: &Dataset, skip_test: bool) -> Result<Vec<PathBuf>> {
    let mut drawn = Vec::new();
    let config = &run.config;
    let count = config.train.sample_count;
    let Some(folder) = run.path().filter(|_| count > 0) else { return Ok(drawn) };
    let plane = Plane::of(data);
    let model = run.model();
    if let Some(image) = report::samples(model, count, config.seed, plane.as_ref())? {
        let path = folder.join("samples.png");
        write_atomic_in(folder, Path::new("samples.png"), &image.to_png()?)?;
        drawn.push(path);
    } else if model.sampler().is_none()
        && let Some(latent) = model.latent()
        && !skip_test
        && data.shape.as_image().is_some()
        && data.len(SplitName::Test) > 0
    {
        let binarize: Binarize = config.data.binarize.parse()?;
        let test = Examples::new(data, SplitName::Test, binarize, config.seed)?;
        let n = RECONSTRUCTED.min(test.len());
        let batch = test.batch(&(0..n as u64).collect::<Vec<_>>(), 0);
        let decoded = latent.decode(&latent.encode(&batch)?, batch.labels.as_deref())?;
        let path = folder.join("reconstructions.png");
        let image = report::reconstructions(model, &batch.values, &decoded)?;
        write_atomic_in(folder, Path::new("reconstructions.png"), &image.to_png()?)?;
        drawn.push(path);
    }
    if model.discriminator().is_some() || plane.is_some() {
        let path = folder.join("training.gif");
        if report::animation(&folder.join("samples"), &path)? {
            drawn.push(path);
        }
    }
    Ok(drawn)
}
