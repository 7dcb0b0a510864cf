//! Discriminator scores.

use ancestral::model::{BatchIterator, Init, SampleRequest, StepContext, sample};
use ancestral::optim::Optimizers;
use ancestral::spec::cpu;
use ancestral_data::{Batch, Domain, Streams};

use crate::cases::{data, examples, find};
use crate::support::{loop_settings, prepared};

/// After some steps data scores higher than samples do, whatever the scale of the scores.
#[test]
fn data_scores_higher_than_samples() {
    let data = data(Domain::Real);
    for name in ["ns-gan", "lsgan", "wgan-gp", "hinge-gan", "ebgan"] {
        let settings = "critic_hidden = [32]\ngenerator_hidden = [8]\ncritic_steps = 5";
        let entry = find(name);
        let init = Init::new(&cpu(), 1);
        let mut model = prepared(&entry, &data, &settings.parse().unwrap(), &init);
        let mut batches = BatchIterator::new(examples(&data), 24, 0);
        let train = loop_settings("learning_rate = 0.002");
        let mut optimizers = Optimizers::new(&train.optimizer_config());
        for step in 1..=60 {
            let epoch = batches.epoch();
            let mut context = StepContext {
                batches: &mut batches,
                optimizers: &mut optimizers,
                streams: Streams::new(5),
                step,
                epoch,
            };
            model.trainable().unwrap().step(&mut context).unwrap();
        }
        let mean = |batch: &Batch| {
            let scores = model.discriminator().unwrap().score(batch).unwrap();
            scores.iter().sum::<f64>() / scores.len() as f64
        };
        let of_data = mean(&examples(&data).batch(&(0..40).collect::<Vec<_>>(), 0));
        let drawn = sample(model.as_ref(), &SampleRequest::new(40, 3)).unwrap();
        let of_samples = mean(&Batch::of(drawn, 40));
        assert!(of_data > of_samples, "{name}: {of_data} {of_samples}");
    }
}
