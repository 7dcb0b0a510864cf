//! `evaluate --quality` and `--generated`: metrics of samples in words and as JSON.

use ancestral_test_support::{Image, Program, data_dir_with};
use serde_json::Value;

use crate::program;

/// A network with features, barely trained.
fn network(here: &Program) {
    here.good("train features --set channels=[8] --set dim=16 --steps 20 --out net --quiet");
}

#[test]
fn metrics_are_named_after_the_network() {
    let here = program();
    network(&here);
    here.good("evaluate net --quiet").trim().parse::<f64>().unwrap();
    let said = here.good("evaluate net");
    assert!(said.contains("test accuracy"), "{said}");
    here.bad("evaluate net --quality", "cannot draw");
    let small = "--set hidden=[[8]] --set sample_count=0 --quiet";
    here.good(&format!("train vae --steps 20 --set conditional=true {small} --out vae"));
    let quality = "evaluate vae --quality --samples-count 300 --features net";
    let said = here.good(&format!("{quality} --nearest near.png"));
    for words in [
        "Fréchet distance (net)",
        "kernel distance (net)",
        "precision (net, k = 3)",
        "coverage (net, k = 5)",
        "classifier score (net)",
        "class agreement (net)",
        "300 samples of vae (vae) compared with 300 examples of digits, test split",
        "200 valid examples",
        "nearest training example",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(Image::open(&here.path("near.png")).size(), (1160, 352));
    let found = here.json(quality);
    let samples = &found["samples"][0];
    assert!((0.0..=1.0).contains(&samples["noise"]["share"].as_f64().unwrap()), "{samples}");
    assert_eq!((&samples["n"], &samples["n_reference"]), (&300.into(), &300.into()));
    assert_eq!(found["network"], "net");
    // Beside validation, test data stays unread.
    let valid = here.json(&format!("{quality} --split valid"));
    assert_eq!((&valid["split"], &valid["data_itself"]), (&"valid".into(), &Value::Null));
    // The same bits whatever the number of threads.
    let one = here.json(&format!("{quality} --threads 1"));
    assert_eq!(samples["frechet_distance"], one["samples"][0]["frechet_distance"]);
    assert_eq!(samples["kernel_distance"], one["samples"][0]["kernel_distance"]);
    here.bad("evaluate vae --features net", "--quality");
    here.bad(&format!("{quality} --nearest near.svg"), ".png");
    here.bad("evaluate vae --quality --samples-count 5", "at least 6");
    // Without another, the network for the data is taken.
    let said = here.good("evaluate vae --quality --samples-count 300");
    assert!(said.contains("Fréchet distance (features-digits)"), "{said}");
    let by_vae = here.bad("evaluate vae --quality --features vae", "has no features");
    assert!(by_vae.contains("`ancestral train features`"), "{by_vae}");
    here.write("rows.csv", "a,b\n1.5,2\n0.1,3\n0.2,3\n1,2\n");
    here.bad("train features --data rows.csv", "no labels");
    here.good("fit gaussian --data rows.csv --out g");
    here.bad("evaluate g --quality", "no built-in feature network");
    let by_net = here.bad("evaluate g --quality --features net", "was trained on 1×8×8");
    assert!(by_net.contains("of the same kind with `ancestral train features`"), "{by_net}");
}

#[test]
fn means_are_named_and_compared_with_gray_images() {
    let here = program();
    network(&here);
    let small = "--set hidden=[[8]] --set sample_count=0 --quiet";
    here.good(&format!("train vae --steps 20 --binarize dynamic {small} --out bits"));
    let means = "evaluate bits --quality --samples-count 300 --features net --mean";
    let said = here.good(means);
    assert!(said.contains("300 means of the last conditional of bits (vae)"), "{said}");
    assert_eq!(here.json(means)["binarize"], "none");
    here.bad("evaluate bits --mean", "--quality");
}

#[test]
fn modes_of_a_mixture_are_counted() {
    let here = program();
    here.good("train gan --data rings:8 --steps 5 --set critic_hidden=[4] --quiet --out gan");
    let said = here.good("evaluate gan --quality --samples-count 500");
    assert!(said.contains("of 8 modes of rings:8") && said.contains("best weights"), "{said}");
    here.bad("evaluate gan --quality --nearest near.png", "modes that they cover");
    here.bad("evaluate gan --quality --mean", "without noise");
}

/// Of a table: a Gaussian fitted to it is nearer than one of other rows.
#[test]
fn samples_of_tables_are_compared_by_their_energy_distance() {
    let here = program();
    let rows = |shift: u32| -> String {
        let row = |i: u32| format!("{}.5,{}\n", i * 7 % 23 + shift, i * i % 17);
        (0..400).map(row).collect()
    };
    here.write("rows.csv", format!("a,b\n{}", rows(0)));
    here.write("others.csv", format!("a,b\n{}", rows(15)));
    here.good("fit gaussian --data rows.csv --out g");
    here.good("fit gaussian --data others.csv --out other");
    let said = here.good("evaluate g --quality --samples-count 500");
    for words in
        ["energy distance", "500 samples of g", "and 40 examples of ", "rows.csv, test split"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("training examples in the place of samples: "), "{said}");
    let near = here.json("evaluate g --quality");
    let far = here.json("evaluate other --quality --data rows.csv --split test");
    let of = |found: &Value, key: &str| found["samples"][0][key].as_f64().unwrap();
    let (a, b) = (of(&near, "energy_distance"), of(&far, "energy_distance"));
    assert!(b > a + 5.0 * of(&near, "energy_stderr") && b < 1.0, "{near} {far}");
    here.good("train gan --data rows.csv --steps 5 --set critic_hidden=[4] --quiet --out gan");
    assert!(here.good("evaluate gan --quality").contains("energy distance"));
    let said = here.bad("evaluate gan --quality --nearest n.png", "no feature network fits");
    assert!(said.contains("rows.csv; leave it out"), "{said}");
}

/// A kernel density with a bandwidth of nearly nothing gives back its training examples.
#[test]
fn a_model_that_repeats_its_training_examples_is_found() {
    let here = program();
    let net = "train features --data moons --set channels=[] --set dim=16 --steps 100";
    here.good(&format!("{net} --quiet --out net"));
    here.good("fit kde --data moons --set bandwidth_factor=0.001 --quiet --out copies");
    here.good("fit kde --data moons --quiet --out smooth");
    let quality =
        |run: &str| format!("evaluate {run} --quality --features net --samples-count 500");
    let of = |run: &str| here.json(&quality(run))["samples"][0].clone();
    let value = |of: &Value, key: &str| of["copying"][key].as_f64().unwrap();
    let (copies, smooth) = (of("copies"), of("smooth"));
    assert!(value(&copies, "p_value") < 1e-30 && value(&copies, "nearer") > 0.95, "{copies}");
    assert!(value(&smooth, "p_value") > 1e-3 && value(&smooth, "nearer") < 0.6, "{smooth}");
    // No distance tells: copies are as near to the test split as other training examples are.
    let distance = |of: &Value| of["frechet_distance"].as_f64().unwrap();
    assert!(distance(&copies) < 0.05, "{copies}");
    let flagged = "training examples are repeated, since samples lie nearer to them than held-out \
                   examples do (p < 0.001)";
    let said = here.good(&quality("copies"));
    assert!(said.contains("nearer to training than held-out examples are (net)"), "{said}");
    assert!(said.contains(flagged), "{said}");
    let said = here.good(&quality("smooth"));
    assert!(said.contains("p = ") && !said.contains("are repeated"), "{said}");
}

#[test]
fn images_of_a_folder_are_compared_with_data() {
    let here = program();
    network(&here);
    let images = |folder: &str, n: u8, side: usize, color: bool| {
        std::fs::create_dir_all(here.path(folder)).unwrap();
        for i in 0..n {
            let gray = i.wrapping_mul(37);
            let pixel = if color { [gray, 255 - gray, 7] } else { [gray; 3] };
            let image = ancestral_plot::Image::filled(side, side, pixel);
            image.save_png(here.path(&format!("{folder}/{i}.png"))).unwrap();
        }
    };
    images("good", 30, 8, false);
    let good = "evaluate --generated good --data digits --features net";
    let said = here.good(&format!("{good} --gray --nearest n.png"));
    assert!(said.contains("30 images of good compared with 300 examples of digits, test split"));
    assert!(said.contains("Fréchet distance (net)"), "{said}");
    assert_eq!(Image::open(&here.path("n.png")).size().0, 1160);
    assert_eq!(here.json(&format!("{good} --gray"))["quality"]["n"], 30);
    // White noise is farther from training examples than all but one in a thousand held-out ones.
    std::fs::create_dir_all(here.path("noise")).unwrap();
    for i in 0..30u32 {
        let pixels = (0..64u32).map(|at| ((i * 64 + at).wrapping_mul(2_654_435_761) >> 24) as u8);
        let rgb = pixels.flat_map(|gray| [gray; 3]).collect();
        let image = ancestral_plot::Image::new(8, 8, rgb).unwrap();
        image.save_png(here.path(&format!("noise/{i}.png"))).unwrap();
    }
    let noise = here.json("evaluate --generated noise --data digits --features net --gray");
    assert_eq!(
        (&noise["quality"]["noise"]["share"], &noise["quality"]["noise"]["n"]),
        (&1.0.into(), &30.into())
    );
    images("color", 30, 8, true);
    here.bad(
        "evaluate --generated color --data digits --features net",
        "3×8×8 (convert them to grayscale) and those of digits are 1×8×8",
    );
    images("large", 30, 9, false);
    let other = "evaluate --generated large --data large --gray";
    here.bad(other, "it has no labels to train one on");
    here.bad(&format!("{other} --features net"), "trained on 1×8×8");
    here.bad("evaluate --generated nowhere --data digits", "no such folder of images");
    here.bad("evaluate --generated good", "--data");
}

/// Draws and means of the model that a first run on gray images has are digits, if the images are there.
#[test]
fn a_first_vae_of_gray_images_draws_no_noise() {
    let Some(sets) = data_dir_with("mnist") else { return };
    let here = program();
    let data = format!("--data-dir {}", sets.display());
    let train = "train vae --data mnist --epochs 3 --set sample_count=0 --skip-test --quiet";
    here.good(&format!("{train} {data} --out v"));
    let config = here.read("v/config.toml");
    for line in ["likelihood = \"tilted-histogram\"", "beta = 3.0", "average_decay = 0.999"] {
        assert!(config.contains(line), "{line}: {config}");
    }
    for what in ["", "--mean"] {
        let quality = "evaluate v --quality --samples-count 2000 --split valid --weights best";
        let found = here.json(&format!("{quality} {what} {data}"));
        let share = found["samples"][0]["noise"]["share"].as_f64().unwrap();
        assert!(share < 0.01, "{what}: {share}");
        let distance = found["samples"][0]["frechet_distance"].as_f64().unwrap();
        assert!(distance < 200.0, "{what}: {distance}");
    }
    // The meaning that a stored run has.
    here.good(&format!("train --from v --steps 2 --quiet {data} --out w --skip-test"));
    assert!(here.read("w/config.toml").contains("beta = 3.0"));
}
