//! Runs repeated from files of settings.

use ancestral::prelude::*;
use ancestral::run::{DataRequest, SettingsFile};

use crate::{refused, spec, train, weights};

#[test]
fn a_run_is_repeated_from_its_own_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let one = spec("vae", "digits", "epochs=2 sample_count=0 latent_dims=[3]").out(path("one"));
    let data = DataRequest { all_train: true, ..one.data };
    train(&RunSpec { data, ..one }.seed(3).binarize(Binarize::Static));
    let file = Some(SettingsFile::read(&path("one").join("config.toml")).unwrap());
    let again = RunSpec { file, ..RunSpec::default() };
    train(&again.clone().out(path("two")));
    assert!(weights(&path("one")) == weights(&path("two")), "the weights differ");
    train(&again.clone().out(path("three")).seed(4));
    assert!(weights(&path("one")) != weights(&path("three")), "the seed was not taken");
    let gan = RunSpec { model: Some("gan".to_owned()), ..again };
    refused(Session::new().train(&gan), "for vae, and gan was requested");
}

#[test]
fn a_wrong_file_of_settings_is_refused_in_words() {
    let path = std::path::PathBuf::from("wrong.toml");
    for (text, words) in [
        ("[modle]\nbeta = 2", "did you mean 'model'?"),
        ("epochs = 3", "the settings are: "),
        ("[data]\nnam = 'mnist'", "did you mean 'name'?"),
        ("[train]\nlearning_rat = 1", "did you mean 'learning_rate'?"),
        ("train = 3", "[train]"),
        ("seed = 'x'", "seed"),
        ("[data]\nname = 'nowhere.csv'", "nowhere.csv"),
    ] {
        let file = Some(SettingsFile { path: path.clone(), table: text.parse().unwrap() });
        let model = Some("vae".to_owned());
        refused(Session::new().train(&RunSpec { model, file, ..RunSpec::default() }), words);
    }
}
