//! Wrong input, refused in words before anything is made.

use ancestral::distributions::coin;
use ancestral::prelude::*;
use ancestral::run::ResolvedRun;
use ancestral::spec::cpu;

use crate::{refused, spec, table};

fn resolve(spec: &RunSpec) -> ancestral::Result<ResolvedRun> {
    spec.resolve(&Registry::standard(), None, &cpu())
}

#[test]
fn wrong_settings_are_named() {
    for (model, data, settings, words) in [
        ("vea", "digits", "", "did you mean 'vae'?"),
        ("vae", "digits", "latent_dimz=3", "did you mean 'latent_dims'?"),
        ("vae", "digits", "beta=-1", "setting 'beta' is -1"),
        ("vae", "nowhere.csv", "", "nowhere.csv"),
        ("vae", "digits", "model.learning_rate=1", "train.learning_rate"),
        ("vae", "digits", "modle.beta=1", "settings and train"),
        ("rnade", "digits", "", "models that take this data: nade,"),
        ("nade", "digits", "hidden=0", "setting 'hidden' is 0"),
        ("wgan-gp", "digits", "critic_norm=batch", "choose layer"),
        ("vae", "digits", "likelihood=bernoulli", "binarize it: dynamic"),
        ("dcgan", "rings:8", "", "needs images"),
        ("gan", "digits", "batch_size=1", "normalized together"),
        ("gan", "digits", "sample_count=100000", "sample_count"),
    ] {
        refused(resolve(&spec(model, data, settings)), words);
    }
    let preset = Some("best".to_owned());
    refused(resolve(&RunSpec { preset, ..spec("vae", "digits", "") }), "burda-1l");
    let bits = spec("gaussian", "moons", "").binarize(Binarize::Static);
    refused(Session::new().fit(&bits), "no levels to binarize");
    refused(coin(3, 2), "no more heads than tosses");
}

#[test]
fn tables_that_do_not_suit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reals.csv");
    table(&path, "a,b\n1.5,2\n0.1,3\n0.2,3\n1,2\n", 0, |_| String::new());
    let reals = path.to_str().unwrap();
    for (model, settings, words) in [
        ("nade", "", "models that take this data: rnade,"),
        ("rnade", "components=0", "components"),
        ("cgan", "", "labels of at least 2 classes"),
        ("dcgan", "", "needs images"),
    ] {
        refused(resolve(&spec(model, reals, settings)), words);
    }
    table(&path, "a,b\n1.5,2\n0.1,x\n", 0, |_| String::new());
    refused(resolve(&spec("vae", reals, "")), "reals.csv");
}

#[test]
fn runs_that_are_none_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    refused(Run::load(dir.path().join("nowhere")), "does not exist");
    refused(Run::load(dir.path()), "not a run folder");
}
