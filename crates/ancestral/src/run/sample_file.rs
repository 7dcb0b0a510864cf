//! Files of samples, written part by part.

use std::path::Path;
#[cfg(feature = "plot")]
use std::path::PathBuf;

use ancestral_data::{CsvWriter, NpyWriter, free_space};

use super::loaded::Run;
use super::sample::{SampleSpec, Samples};
use super::session::Session;
use crate::{Error, Result};

/// A kind of files that hold samples one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleFile {
    /// An array `[samples, …]` of single precision, `.npy`.
    Npy,
    /// A table with a header, `.csv`.
    Csv,
    /// A new folder with a PNG image for each sample.
    #[cfg(feature = "plot")]
    Images,
}

impl SampleFile {
    /// The least bytes that `count` samples of `size` entries take on a disk.
    fn least_bytes(self, count: usize, size: usize) -> u64 {
        let entries = (size as u64).saturating_mul(count as u64);
        match self {
            Self::Npy => entries.saturating_mul(4),
            // A digit and a comma.
            Self::Csv => entries.saturating_mul(2),
            // A block for each file.
            #[cfg(feature = "plot")]
            Self::Images => (count as u64).saturating_mul(4096),
        }
    }

    /// Writes the values that `fill` gives, whole samples at a time; `out` appears when all are
    /// there.
    fn write(
        self,
        run: &Run,
        count: usize,
        out: &Path,
        fill: impl FnOnce(&mut dyn FnMut(&[f64]) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let shape = &run.model().data().shape;
        let needed = self.least_bytes(count, shape.size());
        // Where the free space is not known, it still ends somewhere.
        let free = free_space(out).unwrap_or(u64::MAX - 1);
        if needed > free {
            return Err(Error::NoSpace { path: out.to_owned(), needed, free });
        }
        match self {
            Self::Npy => {
                let dims: Vec<usize> =
                    std::iter::once(count).chain(shape.dims().iter().copied()).collect();
                let mut writer = NpyWriter::create(out, &dims)?;
                fill(&mut |values| Ok(writer.write(values)?))?;
                Ok(writer.finish()?)
            }
            Self::Csv => {
                let mut writer =
                    CsvWriter::create(out, &run.column_names())?.with_words(run.words());
                fill(&mut |values| Ok(writer.write(values)?))?;
                Ok(writer.finish()?)
            }
            #[cfg(feature = "plot")]
            Self::Images => {
                let image =
                    shape.as_image().ok_or_else(|| Error::NoImage { shape: shape.clone() })?;
                let created = ancestral_data::create_folder(out, |folder| {
                    let mut writer = ImageWriter { folder: folder.to_owned(), written: 0 };
                    fill(&mut |values| writer.add(run, image, values))
                })?;
                if created { Ok(()) } else { Err(Error::OutputExists { path: out.to_owned() }) }
            }
        }
    }
}

/// Images of samples as numbered files.
#[cfg(feature = "plot")]
struct ImageWriter {
    folder: PathBuf,
    written: usize,
}

#[cfg(feature = "plot")]
impl ImageWriter {
    fn add(&mut self, run: &Run, shape: [usize; 3], values: &[f64]) -> Result<()> {
        let values = crate::report::intensities(run.model(), values);
        for example in values.chunks_exact(shape.iter().product::<usize>().max(1)) {
            let path = self.folder.join(format!("{:06}.png", self.written));
            let image = ancestral_plot::Image::of(example, shape);
            let png = if shape[0] == 3 { image.to_png() } else { image.to_gray_png() };
            ancestral_data::write_new(&path, &png?)?;
            self.written += 1;
        }
        Ok(())
    }
}

impl Samples {
    /// Writes the samples of a run.
    ///
    /// # Errors
    /// If the disk has no room for them, the file cannot be written, the folder exists, or they are
    /// not images.
    pub fn save(&self, run: &Run, file: SampleFile, out: &Path) -> Result<()> {
        file.write(run, self.count, out, |each| each(&self.values))
    }
}

impl Session<'_> {
    /// Draws samples and writes them part by part, so that memory is bounded for any number of them
    /// (completions are drawn in one part), and gives their number.
    ///
    /// # Errors
    /// As [`Session::sample`] and [`Samples::save`].
    pub fn sample_to(
        &mut self,
        run: &Run,
        spec: &SampleSpec,
        file: SampleFile,
        out: &Path,
    ) -> Result<usize> {
        let request = self.sample_request(run, spec)?;
        let count = request.count;
        file.write(run, count, out, |each| self.sample_parts(run, spec, request, each))?;
        Ok(count)
    }
}
