//! The event files as the real TensorBoard reads them, where one is at hand: `ANCESTRAL_PYTHON`
//! names a Python that has the package `tensorboard`.

use std::process::Command;

use ancestral::run::RunFolder;
use ancestral::train::Event;

use crate::program;

const SCRIPT: &str = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()['scalars']):
    for e in events.Scalars(tag):
        print(tag, e.step, repr(e.value))
for tag in sorted(events.Tags()['images']):
    for e in events.Images(tag):
        print(tag, e.step, e.width, e.height, len(e.encoded_image_string))
";

#[test]
fn tensorboard_reads_every_metric_and_image() {
    let Some(python) = std::env::var_os("ANCESTRAL_PYTHON") else {
        eprintln!("skipped: ANCESTRAL_PYTHON is not set");
        return;
    };
    let here = program();
    here.good("train vae --epochs 3 --quiet --out run");
    let run = here.path("run");
    let read = Command::new(python).args(["-c", SCRIPT]).arg(&run).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let said = String::from_utf8(read.stdout).unwrap();
    let folder = RunFolder::open(&run).unwrap();
    let mut compared = 0;
    let images: Vec<&str> = said.lines().filter(|l| l.starts_with("image/samples ")).collect();
    // After the epochs 1, 2 and 3.
    for (line, epoch) in images.iter().zip([1, 2, 3]) {
        let path = run.join(format!("samples/epoch-{epoch:05}.png"));
        let image = ancestral_plot::Image::open_png(&path).unwrap();
        let bytes = path.metadata().unwrap().len();
        let step = epoch * 13;
        let expected = format!("image/samples {step} {} {} {bytes}", image.width(), image.height());
        assert_eq!(*line, expected);
    }
    assert_eq!(images.len(), 3, "{said}");
    for event in folder.events().unwrap().iter().filter_map(Event::entry) {
        for (name, value) in &event.values {
            let found = said.lines().any(|l| {
                let mut words = l.split(' ');
                words.next().is_some_and(|tag| tag.ends_with(name.as_str()))
                    && words.next() == Some(event.step.to_string().as_str())
                    && words.next().is_some_and(|v| {
                        let read: f64 = v.parse().unwrap();
                        (read - value).abs() < 1e-5 * (1.0 + value.abs())
                    })
            });
            assert!(found, "{name} = {value} at step {} is not in:\n{said}", event.step);
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}
