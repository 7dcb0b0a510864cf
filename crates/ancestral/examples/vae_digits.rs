//! A variational autoencoder of handwritten digits, in memory: trained, measured, sampled, saved and
//! loaded.

use ancestral::prelude::*;

fn main() -> ancestral::Result<()> {
    let digits = Dataset::open("digits")?;
    let config = VaeConfig { latent_dims: vec![8], ..VaeConfig::default() };
    let training = TrainConfig { epochs: 20, ..TrainConfig::default() };
    let spec = RunSpec::new(&config, &digits).binarize(Binarize::Dynamic).training(&training);
    let vae = Session::new().train(&spec)?.run;
    let test = vae.examples(SplitName::Test)?;
    println!("−log p(x) ≤ {:.2} nats", vae.evaluate(&test)?.nll_nats);
    let lowest = vae.score(&test)?.into_iter().fold(f64::INFINITY, f64::min);
    println!("the least probable test digit: log p(x) ≥ {lowest:.2} nats");
    let images = vae.sample(16, 0)?;
    vae.save("digits-vae")?;
    assert_eq!(Run::load("digits-vae")?.sample(16, 0)?, images);
    Ok(())
}
