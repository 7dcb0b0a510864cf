//! The commands of the README, from training to every image.

use ancestral_test_support::{BLACK, Image, WHITE, assert_hash};

use crate::program;

#[test]
fn the_commands_of_the_readme_work() {
    let here = program();
    let said = here.good("train vae --epochs 3");
    assert!(said.contains("test negative log-likelihood"), "{said}");
    assert!(said.contains("\ntrained 3.0 epochs in "), "{said}");
    assert!(said.trim_end().ends_with("runs/vae-digits-1/samples.png"), "{said}");
    here.good("sample runs/vae-digits-1 -n 100 --out more.png");
    let said = here.good("evaluate runs/vae-digits-1 --samples 20 --json");
    for key in ["nll_nats", "nll_stderr", "mc_stderr", "bits_per_dim", "\"kind\":\"bound\""] {
        assert!(said.contains(key), "{said}");
    }
    let score = "score runs/vae-digits-1 --data digits --split test --samples 5";
    here.good(&format!("{score} --out scores.csv"));
    assert_eq!(here.read("scores.csv").lines().count(), 301);
    here.good("reconstruct runs/vae-digits-1");
    here.good("interpolate runs/vae-digits-1 --from 0 --to 5");
    here.good("latent runs/vae-digits-1");
    let said = here.good("fit bernoulli --counts 900/1300");
    assert!(said.contains("0.6923 ± 0.0128"), "{said}");
    assert_hash(&here.path("likelihood.png"), "2fbffe5b5ab56216");
    here.good("models vae");
    here.good("data list");
    let listed = here.json("runs");
    assert_eq!(listed[0]["run"], "runs/vae-digits-1");
    assert_eq!(listed[0]["validation"], "negative_elbo");
    assert!(listed[0]["test_nll_nats"].as_f64().unwrap() > 50.0, "{listed}");
    // A run that has ended is resumed without more of it.
    let said = here.good("train --resume runs/vae-digits-1");
    assert!(said.contains("runs/vae-digits-1 has already used up its budget"), "{said}");
    for (file, size, background, ink, mean) in [
        ("runs/vae-digits-1/samples.png", (1180, 608), BLACK, 0.71..0.84, 115.0..135.0),
        ("more.png", (728, 728), BLACK, 0.64..0.77, 110.0..127.0),
        ("reconstructions.png", (1160, 208), BLACK, 0.67..0.78, 138.0..154.0),
        ("interpolation.png", (872, 104), BLACK, 0.75..0.88, 138.0..158.0),
        ("latent.png", (800, 520), WHITE, 0.04..0.08, 244.0..251.0),
    ] {
        let image = Image::open(&here.path(file));
        assert_eq!(image.size(), size, "{file}");
        image.assert_looks(background, ink, mean);
    }
}
