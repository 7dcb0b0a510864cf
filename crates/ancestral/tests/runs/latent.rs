//! Latent codes: as plots, and of a model without a density.

use ancestral::prelude::*;
use ancestral::report;
use ancestral::run::{Codes, Measured};
use ancestral_plot::Image;
use ancestral_test_support::{BLACK, assert_lines};

use crate::{looks, refused, spec, train};

#[test]
fn codes_of_one_dimension_are_drawn_as_histograms() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(&spec("vae", "digits", "epochs=1 latent_dims=[1]")).run;
    let codes = Session::new().encode(&run, &DataQuery::split(SplitName::Test)).unwrap();
    let Codes { values, latent_dim, labels, data } = codes;
    assert_eq!((latent_dim, values.len()), (1, 300));
    let path = dir.path().join("line.svg");
    report::latent_space(&data, &values, 1, labels.as_deref()).save(&path).unwrap();
    assert_lines(&path, &["latent codes of digits", "code", "examples", "9"], &[30; 10]);
}

#[test]
fn an_autoencoder_draws_what_it_gives_back_and_has_no_density() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec("ae", "digits", "epochs=2").out(dir.path().join("run"));
    spec.preset = Some("convolutional".to_owned());
    let trained = train(&spec);
    let [drawn] = &trained.images[..] else { unreachable!("one image: {:?}", trained.images) };
    assert!(drawn.ends_with("reconstructions.png"));
    let drawn = Image::open_png(drawn).unwrap();
    looks(&drawn, (1160, 208), BLACK, 0.71..0.82, 140.0..156.0);
    let (mut session, test) = (Session::new(), DataQuery::split(SplitName::Test));
    let found = session.evaluate(&trained.run, &test, Default::default()).unwrap().found;
    assert!(matches!(found, Measured::Nothing));
    let codes = session.encode(&trained.run, &test).unwrap();
    assert_eq!(codes.values.len(), 300 * codes.latent_dim);
    refused(session.sample(&trained.run, &ancestral::run::SampleSpec::new(4, 0)), "ae ");
}
