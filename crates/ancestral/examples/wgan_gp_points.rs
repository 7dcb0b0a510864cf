//! A Wasserstein GAN with gradient penalty on a mixture of eight Gaussians in two dimensions.

use ancestral::evaluate::{Rows, modes};
use ancestral::prelude::*;

fn main() -> ancestral::Result<()> {
    let rings = Dataset::open("rings:8")?;
    let spec = RunSpec::named("wgan-gp", &rings);
    let spec = spec.budget(Budget { steps: 1500, ..Budget::default() });
    let trained = Session::new().train(&spec)?;
    let outcome = trained.outcome;
    println!("trained {} steps in {:.0} s", outcome.step, outcome.seconds);
    if let (Some(best), Some(metric)) = (outcome.best, &trained.validation) {
        println!("best validation {metric} {:.3} at step {}", best.value, best.step);
    }
    let points = trained.run.sample(1000, 0)?;
    let points: Vec<f32> = points.into_iter().map(|x| x as f32).collect();
    if let Some(mixture) = ancestral_data::modes("rings:8") {
        let found = modes(Rows::new(&points, 2, "samples")?, &mixture.centers, mixture.std)?;
        let share = 100.0 * found.good;
        println!(
            "{} of {} modes found; {share:.0} % of samples are of high quality",
            found.found, found.modes
        );
    }
    Ok(())
}
