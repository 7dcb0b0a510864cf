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
