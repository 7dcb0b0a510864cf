//! A training callback: it prints samples as text after each epoch and stops the training once
//! the validation metric is good enough.

use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::prelude::*;

/// The bound at which training stops, in nats per example.
const GOOD_ENOUGH: f64 = 24.0;

struct PrintSamples<'a> {
    stop: &'a AtomicBool,
}

impl Observer for PrintSamples<'_> {
    fn event(&mut self, event: &Event) -> ancestral::Result<()> {
        if let Event::Valid(entry) = event
            && let Some((metric, value)) = entry.values.first()
        {
            println!("epoch {:>4.1}: validation {metric} {value:.2}", entry.epoch);
            self.stop.store(*value < GOOD_ENOUGH, Ordering::Relaxed);
        }
        Ok(())
    }

    fn epoch(&mut self, model: &dyn Model) -> ancestral::Result<()> {
        let request = SampleRequest { mean: true, ..SampleRequest::new(5, 0) };
        let images = ancestral::model::sample(model, &request)?;
        for y in 0..8 {
            let line = |image: &[f64]| -> String {
                let shade = |p: &f64| [' ', '░', '▒', '▓', '█'][(p * 4.99) as usize];
                image[8 * y..8 * y + 8].iter().map(shade).collect()
            };
            println!("{}", images.chunks_exact(64).map(line).collect::<Vec<_>>().join("  "));
        }
        Ok(())
    }
}

fn main() -> ancestral::Result<()> {
    let config = VaeConfig { latent_dims: vec![4], ..VaeConfig::default() };
    let training = TrainConfig { epochs: 50, learning_rate: 2e-3, ..TrainConfig::default() };
    let spec = RunSpec::new(&config, "digits").binarize(Binarize::Static).training(&training);
    let stop = AtomicBool::new(false);
    let mut printer = PrintSamples { stop: &stop };
    let trained = Session::new().with_observer(&mut printer).with_stop_flag(&stop).train(&spec)?;
    println!("ended by {:?} after {:.0} epochs", trained.outcome.reason, trained.outcome.epoch);
    Ok(())
}
