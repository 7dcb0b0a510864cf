//! `evaluate`: likelihoods in words and as JSON.

use ancestral_test_support::Program;
use serde_json::Value;

use crate::{PROGRAM, program};

#[test]
fn a_model_without_a_density_is_said_to_have_none() {
    let here = program();
    here.good("train gan --data rings:8 --steps 5 --set critic_hidden=[4] --quiet --out gan");
    let said = here.good("evaluate gan");
    assert!(said.contains("no log-probability"), "{said}");
    assert!(said.contains("--quality evaluates its samples"), "{said}");
    here.good("train ae --steps 1 --set hidden=[4] --quiet --out ae");
    let said = here.good("evaluate ae");
    assert!(said.contains("no log-probability") && !said.contains("--quality"), "{said}");
    here.bad("evaluate .", "not a run folder");
    here.bad("evaluate", "RUN");
}

#[test]
fn the_cost_of_each_pixel_is_drawn() {
    let here = program();
    let small = "--steps 2 --set sample_count=0 --quiet";
    here.good(&format!("train made {small} --set hidden=[4] --set masks=2 --out run"));
    let said = here.good("evaluate run --limit 20 --map map.png");
    let words = |from: &str| {
        let text = said.split(from).nth(1).unwrap().trim_start();
        text.split([' ', '\n']).next().unwrap().to_owned()
    };
    // The sum of the map is that of the likelihood.
    let bits = words("bits per dimension");
    assert!(said.contains(&format!("bits an image, {bits} bits per dimension")), "{said}");
    assert!(said.ends_with("wrote map.png\n"), "{said}");
    assert_eq!(ancestral_test_support::Image::open(&here.path("map.png")).size().1, 380);
    let found = here.json("evaluate run --limit 20 --map map.png");
    let map = &found["map"];
    assert_eq!(map["out"], "map.png");
    let off = map["bits_per_dim"].as_f64().unwrap() - found["bits_per_dim"].as_f64().unwrap();
    assert!(off.abs() < 1e-6, "{found}");
    assert_eq!(map["channels"].as_array().unwrap().len(), 1);
    here.bad("evaluate run --map map.svg", "--map map.svg: the name must end in .png");
    here.bad("evaluate run --map map.png --orderings 2", "--map");
    here.bad("evaluate run --map map.png --quality", "cannot be used with");
    here.good(&format!("train vae {small} --out vae"));
    here.bad("evaluate vae --map vae.png", "not a sum over pixels");
    here.write("bits.data", "0,1,1\n".repeat(40));
    here.good(&format!("train nade {small} --data bits.data --set hidden=2 --out table"));
    here.bad("evaluate table --map a.png", "--map: examples of shape 3 are not images");
}

#[test]
fn values_name_the_binarization_that_was_used() {
    let here = program();
    let rows: String = (0..60).map(|i| format!("{},{}\n", i % 2, i / 3 % 2)).collect();
    here.write("bits.csv", format!("a,b\n{rows}"));
    let train = "train vae --data bits.csv --binarize dynamic --epochs 1 --set sample_count=0";
    let said = here.good(&format!("{train} --out run"));
    assert_eq!(said.matches("binarization none").count(), 3, "{said}");
    assert!(said.contains("best validation negative_elbo"), "{said}");
    let said = here.good("evaluate run --json --samples 3");
    assert!(said.contains("\"binarize\":\"none\""), "{said}");
    // A path without a slash is found again from anywhere.
    let elsewhere = Program::new(PROGRAM);
    elsewhere.good(&format!("evaluate {} --samples 3", here.path("run").display()));
    let listed = here.good("runs .");
    assert!(listed.contains("negative_elbo") && listed.contains("(none)"), "{listed}");
    let said = here.good("score run --data bits.csv --samples 3");
    assert!(said.contains("60 rows of bits.csv"), "{said}");
    assert!(said.contains("(bound, K = 3; binarization none)"), "{said}");
}

#[test]
fn densities_have_units_and_no_bits() {
    let here = program();
    let row = |i: u32| format!("{},{}.5,{}\n", i % 4 + 1, i * 7 % 11, i * 5 % 13);
    let rows: String = (0..40).map(row).collect();
    here.write("rows.csv", format!("fold,x,y\n{rows}"));
    let vae = "train vae --data rows.csv --fold 2 --steps 2 --all-train --set sample_count=0";
    let said = here.good(&format!("{vae} --out v"));
    assert!(said.contains("30 train, 10 valid, 10 test"), "{said}");
    let said = here.good("evaluate v --samples 2");
    assert!(said.contains("test negative log-density (raw units)"), "{said}");
    assert!(said.contains("\nnegative log-density of standardized columns"), "{said}");
    let found = here.json("evaluate v --samples 2");
    assert_eq!((&found["measure"], &found["bits_per_dim"]), (&"density".into(), &Value::Null));
    assert!(found["nll_standardised"].is_f64(), "{found}");
    let found = here.json("evaluate v --samples 2 --data rows.csv");
    assert_eq!(found["nll_standardised"], Value::Null, "{found}");
    here.bad("evaluate v --orderings 0", "orderings");
}

/// Codes of a model that has learned nothing are drawn where they explain no digit well.
#[test]
fn an_error_that_cannot_be_trusted_is_said_to_be_so() {
    let here = program();
    here.good("train vae --steps 1 --set sample_count=0 --quiet --out digits");
    let line = "evaluate digits --limit 100 --samples 100";
    let share = here.json(line)["heavy_tails"].as_f64().unwrap();
    assert!(share > 0.2, "{share}");
    let said = here.good(line);
    let words = format!(
        " of 100 (median); Pareto k̂ above 0.7 for {:.0} % of the examples, whose weights have such heavy \
         tails that their error cannot be trusted\n",
        100.0 * share
    );
    assert!(said.contains("Monte Carlo error ") && said.contains(&words), "{words}: {said}");
    // Of fewer samples no shape is known.
    let few = "evaluate digits --limit 100 --samples 20";
    assert_eq!(here.json(few)["heavy_tails"], Value::Null);
    let said = here.good(few);
    assert!(said.contains("effective sample size") && !said.contains("Pareto"), "{said}");
    // A code that hardly matters has weights that are nearly equal.
    let rows: String = (0..200).map(|i| format!("{}.5\n", i * 7 % 23)).collect();
    here.write("rows.csv", format!("a\n{rows}"));
    let flat = "train vae --data rows.csv --steps 1 --set latent_dims=[1] --set sample_count=0";
    here.good(&format!("{flat} --quiet --out flat"));
    let line = "evaluate flat --samples 1000";
    assert_eq!(here.json(line)["heavy_tails"], 0.0);
    let said = here.good(line);
    assert!(said.contains("effective sample size") && !said.contains("Pareto"), "{said}");
}
