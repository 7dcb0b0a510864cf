//! Learning curves: as lines from the first checkpoint on, as pixels too once a run with images has
//! ended.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::prelude::*;
use ancestral::report;
use ancestral::run::RunFolder;
use ancestral::train::StopReason;
use ancestral_test_support::{Image, WHITE, assert_lines};

use crate::{spec, train};

/// Three epochs, with a given number of samples in each image.
fn small(images: usize) -> RunSpec {
    let settings = "steps=60 generator_hidden=[8] critic_hidden=[8]";
    spec("gan", "rings:8", &format!("{settings} sample_count={images}"))
}

/// Whether the plots of losses and of the validation are there.
fn there(run: &Path, ending: &str) -> [bool; 2] {
    ["curves", "validation"].map(|name| run.join(format!("{name}.{ending}")).exists())
}

#[test]
fn curves_are_images_too_once_a_run_with_images_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (drawn, plain) = (dir.path().join("drawn"), dir.path().join("plain"));
    train(&small(4).out(&drawn));
    let plots =
        report::curves("gan on rings:8", &RunFolder::open(&drawn).unwrap().events().unwrap());
    let names: Vec<&str> = plots.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["curves", "validation"]);
    assert_lines(&drawn.join("curves.svg"), &["generator loss", "critic loss"], &[3, 3]);
    assert_lines(&drawn.join("validation.svg"), &["gan on rings:8", "epoch"], &[3]);
    for (name, plot) in plots {
        let image = Image::open(&drawn.join(format!("{name}.png")));
        assert_eq!(image.size(), (800, 520), "{name}");
        image.assert_looks(WHITE, 0.01..0.04, 248.0..254.0);
        let plot = plot.to_image().unwrap();
        assert!(image == Image::new(plot.width(), plot.height(), plot.rgb()), "{name}");
    }
    train(&small(0).out(&plain));
    assert_eq!((there(&plain, "svg"), there(&plain, "png")), ([true; 2], [false; 2]));
}

#[test]
fn a_run_that_was_stopped_has_curves_without_images() {
    struct StopAfter<'a>(u64, &'a AtomicBool);
    impl Observer for StopAfter<'_> {
        fn event(&mut self, event: &Event) -> ancestral::Result<()> {
            let there = matches!(event, Event::Step(progress) if progress.step >= self.0);
            self.1.fetch_or(there, Ordering::Relaxed);
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let stop = AtomicBool::new(false);
    let mut observer = StopAfter(30, &stop);
    let mut session = Session::new().with_observer(&mut observer).with_stop_flag(&stop);
    let stopped = session.train(&small(4).out(&run)).unwrap();
    assert_eq!(stopped.outcome.reason, StopReason::Interrupted);
    assert_eq!((there(&run, "svg"), there(&run, "png")), ([true; 2], [false; 2]));
    Session::new().resume(&run, None, true).unwrap();
    assert_eq!(there(&run, "png"), [true; 2]);
}
