//! Samples, and images of a folder, compared with data by the features of a network.

use std::path::Path;

use ancestral::prelude::*;
use ancestral::report;
use ancestral::run::{ImageFolder, Measured, NamedWeights, QualitySpec};
use ancestral_plot::Image;
use ancestral_test_support::{BLACK, assert_hash};

use crate::{looks, refused, spec, table, train};

/// A small network with features of the digits, in a folder.
fn network(folder: &Path, settings: &str) -> Run {
    let settings = format!("channels=[8] dim=16 {settings}");
    train(&spec("features", "digits", &settings).out(folder.join("net"))).run
}

fn best(run: Run) -> NamedWeights {
    vec![("best", run)]
}

#[test]
fn samples_are_measured_by_the_features_of_a_named_network() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(dir.path(), "epochs=15 learning_rate=5e-3");
    let (mut session, test) = (Session::new(), DataQuery::split(SplitName::Test));
    let found = session.evaluate(&net, &test, Default::default()).unwrap().found;
    let Measured::Classification(found) = found else { unreachable!("it classifies") };
    assert!(found.accuracy > 0.85, "{}", found.accuracy);
    let network = Some(dir.path().join("net"));
    let quality = QualitySpec { count: 300, network, ..QualitySpec::default() };
    refused(session.quality(&best(net), &quality), "cannot draw");

    let vae = best(train(&spec("vae", "digits", "epochs=20 conditional=true")).run);
    let found = session.quality(&vae, &quality).unwrap();
    assert_eq!((found.data.as_str(), found.split), ("digits", Some(SplitName::Test)));
    assert_eq!((found.network.as_str(), found.network_trained_on.as_str()), ("net", "digits"));
    let (samples, itself) = (&found.samples[0].quality, found.data_itself.as_ref().unwrap());
    assert_eq!((samples.n, samples.n_reference, itself.n), (300, 300, 200));
    assert!(samples.frechet_distance > itself.frechet_distance, "{samples:?} {itself:?}");
    assert!(samples.class_agreement.unwrap() > 0.8, "{samples:?}");
    let (image, _) =
        report::nearest_examples(&found.values, &found.reference, &found.train).unwrap();
    looks(&image, (1160, 352), BLACK, 0.6..0.7, 122.0..139.0);
    // Beside validation, test data stays unread.
    let reference = DataQuery::split(SplitName::Valid);
    let valid = session.quality(&vae, &QualitySpec { reference, ..quality.clone() }).unwrap();
    assert!(valid.split == Some(SplitName::Valid) && valid.data_itself.is_none());
    // Means of bits are compared with gray images, as samples of the model of gray levels are.
    let bits = spec("vae", "digits", "epochs=20").binarize(Binarize::Dynamic);
    let bits = best(train(&bits).run);
    let drawn = session.quality(&bits, &quality).unwrap();
    let means = session.quality(&bits, &QualitySpec { mean: true, ..quality.clone() }).unwrap();
    assert_eq!((drawn.binarize, means.binarize), ("dynamic", "none"));
    let of_means = means.data_itself.as_ref().unwrap();
    assert_eq!(of_means.frechet_distance, itself.frechet_distance);
    assert_ne!(of_means.frechet_distance, drawn.data_itself.unwrap().frechet_distance);
    assert!(means.samples[0].quality.frechet_distance > itself.frechet_distance);
    // Without another, the network for the data is taken.
    let usual = session.quality(&vae, &QualitySpec { network: None, ..quality.clone() }).unwrap();
    assert_eq!(usual.network, "features-digits");
    let few = QualitySpec { count: 5, ..quality.clone() };
    refused(session.quality(&vae, &few), "at least 6");

    let vae_folder = dir.path().join("vae");
    vae[0].1.save(&vae_folder).unwrap();
    let by_vae = QualitySpec { network: Some(vae_folder), ..quality.clone() };
    refused(session.quality(&vae, &by_vae), "has no features");
    let csv = dir.path().join("rows.csv");
    table(&csv, "a,b\n1.5,2\n0.1,3\n0.2,3\n1,2\n", 0, |_| String::new());
    let rows = csv.to_str().unwrap();
    refused(session.train(&spec("features", rows, "")), "no labels");
    let gaussian = best(session.fit(&spec("gaussian", rows, "")).unwrap().run);
    let usual = QualitySpec { network: None, ..quality.clone() };
    refused(session.quality(&gaussian, &usual), "no built-in feature network");
    refused(session.quality(&gaussian, &quality), "was trained on 1×8×8");
}

#[test]
fn images_of_a_folder_are_compared_with_data() {
    let dir = tempfile::tempdir().unwrap();
    network(dir.path(), "epochs=1");
    // Images of one gray value each.
    let images = |folder: &str, n: usize, side: usize, color: bool| {
        std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        for i in 0..n {
            let gray = (i * 37 % 256) as u8;
            let pixel = if color { [gray, 255 - gray, 7] } else { [gray; 3] };
            let image = Image::filled(side, side, pixel);
            image.save_png(dir.path().join(folder).join(format!("{i}.png"))).unwrap();
        }
    };
    let mut session = Session::new();
    let net = dir.path().join("net");
    let mut measure = |folder: &str, gray, data: &str, network: Option<&Path>| {
        let path = dir.path().join(folder);
        let images = ImageFolder { path: &path, gray, background: None };
        let data = Some(data.to_owned());
        let reference = DataQuery { data, ..DataQuery::split(SplitName::Test) };
        let network = network.map(Path::to_owned);
        session.folder_quality(&images, &QualitySpec { reference, network, ..Default::default() })
    };
    images("good", 30, 8, false);
    let found = measure("good", true, "digits", Some(&net)).unwrap();
    assert_eq!((found.network.as_str(), found.n_reference), ("net", 300));
    assert_eq!((found.split, found.samples[0].quality.n), (Some(SplitName::Test), 30));
    // The nearest by pixels are the same for every network.
    let (image, _) =
        report::nearest_examples(&found.values, &found.reference, &found.train).unwrap();
    let near = dir.path().join("n.png");
    image.save_png(&near).unwrap();
    assert_hash(&near, "3fd1e38b723077bb");
    // A color image is no gray one.
    images("color", 30, 8, true);
    refused(
        measure("color", false, "digits", Some(&net)),
        "3×8×8 (convert them to grayscale) and those of digits are 1×8×8",
    );
    images("large", 30, 9, false);
    refused(
        measure("large", true, "digits", Some(&net)),
        "are 1×9×9 and those of digits are 1×8×8",
    );
    images("mixed", 9, 9, false);
    images("mixed", 5, 8, false);
    refused(measure("mixed", true, "digits", Some(&net)), "9×9 pixels");
    let large = dir.path().join("large");
    let large = large.to_str().unwrap();
    refused(measure("large", true, large, None), "no built-in feature network");
    refused(measure("large", true, large, Some(&net)), "trained on 1×8×8");
    images("few", 5, 8, false);
    refused(measure("few", true, "digits", Some(&net)), "5 images");
    refused(measure("nowhere", false, "digits", Some(&net)), "no such folder of images");
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    refused(measure("empty", false, "digits", Some(&net)), "no PNG or JPEG");
}
