//! The images that a run saves during training; none in a build without the feature `plot`.

#[cfg(feature = "plot")]
pub(super) use drawn::TrainingImages;
#[cfg(not(feature = "plot"))]
pub(super) use none::TrainingImages;

#[cfg(feature = "plot")]
mod drawn {
    use std::path::{Path, PathBuf};

    use ancestral_data::{Dataset, write_atomic_in};

    use super::super::config::RunConfig;
    use super::super::folder::RunFolder;
    use crate::Result;
    use crate::model::Model;
    use crate::report::{self, Plane};
    use crate::train::{Event, Image, Progress};

    /// Saves images of samples at milestones, and curves at checkpoints.
    pub(in crate::run) struct TrainingImages {
        count: usize,
        seed: u64,
        plane: Option<Plane>,
        due: Option<Progress>,
    }

    impl TrainingImages {
        pub(in crate::run) fn new(config: &RunConfig, data: &Dataset) -> Self {
            Self {
                count: config.train.sample_count,
                seed: config.seed,
                plane: Plane::of(data),
                due: None,
            }
        }

        /// Notes whether an image is due.
        pub(in crate::run) fn see(&mut self, event: &Event) {
            if let Event::Epoch(progress) = event {
                let epoch = progress.epoch.ceil();
                // Animations of two-dimensional samples have more frames.
                let before = progress.share * (epoch - 1.0) / epoch;
                let frame = self.plane.is_some() && frames(progress.share) > frames(before);
                let due = is_milestone(epoch as u64) || frame || progress.last;
                self.due = (self.count > 0 && due).then(|| progress.clone());
            }
        }

        pub(in crate::run) fn is_due(&self) -> bool {
            self.due.is_some()
        }

        /// Saves an image of samples to a run folder, if one is due.
        pub(in crate::run) fn draw(
            &mut self,
            folder: &Path,
            model: &dyn Model,
        ) -> Result<Option<Image>> {
            let Some(Progress { step, epoch, seconds, .. }) = self.due.take() else {
                return Ok(None);
            };
            let found = report::samples(model, self.count, self.seed, self.plane.as_ref())?;
            let Some(image) = found else { return Ok(None) };
            let png = image.to_png()?;
            let number = epoch.ceil() as u64;
            let path = PathBuf::from("samples").join(format!("epoch-{number:05}.png"));
            write_atomic_in(folder, &path, &png)?;
            let name = "samples".to_owned();
            Ok(Some(Image { step, epoch, seconds, name, path: Some(path), png: Some(png.into()) }))
        }

        /// Plots the metrics, as PNG too once a run with images has ended.
        pub(in crate::run) fn draw_curves(&self, run: &RunFolder, ended: bool) -> Result<()> {
            let title = format!("{} on {}", run.config.model, run.config.data.name);
            for (name, plot) in report::curves(&title, &run.events()?) {
                let write = |ending: &str, bytes: &[u8]| {
                    write_atomic_in(run.path(), Path::new(&format!("{name}.{ending}")), bytes)
                };
                write("svg", plot.to_svg()?.as_bytes())?;
                if ended && self.count > 0 {
                    write("png", &plot.to_image()?.to_png()?)?;
                }
            }
            Ok(())
        }
    }

    /// Images of two-dimensional samples up to this fraction of the budget.
    fn frames(share: f64) -> u64 {
        (share * 40.0) as u64
    }

    /// 1, 2, 5, 10, 20, 50, …: the epochs that get an image.
    fn is_milestone(epoch: u64) -> bool {
        let mut unit = 1;
        while unit * 10 <= epoch {
            unit *= 10;
        }
        matches!(epoch, e if e == unit || e == 2 * unit || e == 5 * unit)
    }
}

#[cfg(not(feature = "plot"))]
mod none {
    use std::path::Path;

    use ancestral_data::Dataset;

    use super::super::config::RunConfig;
    use super::super::folder::RunFolder;
    use crate::Result;
    use crate::model::Model;
    use crate::train::{Event, Image};

    /// Saves nothing.
    pub(in crate::run) struct TrainingImages;

    impl TrainingImages {
        pub(in crate::run) fn new(_config: &RunConfig, _data: &Dataset) -> Self {
            Self
        }

        pub(in crate::run) fn see(&mut self, _event: &Event) {}

        pub(in crate::run) fn is_due(&self) -> bool {
            false
        }

        pub(in crate::run) fn draw(
            &mut self,
            _folder: &Path,
            _model: &dyn Model,
        ) -> Result<Option<Image>> {
            Ok(None)
        }

        pub(in crate::run) fn draw_curves(&self, _run: &RunFolder, _ended: bool) -> Result<()> {
            Ok(())
        }
    }
}
