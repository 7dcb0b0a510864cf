//! Weights that are saved and loaded.

use ancestral::model::{Init, NamedTensors};
use ancestral::spec::cpu;

use crate::cases::{cases, label, spec};
use crate::support::{outputs, prepared};

#[test]
fn saved_weights_give_the_same_outputs() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let mut other =
            (entry.build)(&model.settings(), &spec(&data), &Init::new(&cpu(), 2)).unwrap();
        other.load(&model.tensors()).unwrap();
        assert_eq!(outputs(model.as_ref(), &data), outputs(other.as_ref(), &data), "{name}");
        let broken: NamedTensors = model.tensors().into_iter().skip(1).collect();
        assert!(other.load(&broken).is_err(), "{name}: a missing tensor went unseen");
    }
}
