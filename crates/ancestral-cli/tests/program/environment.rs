//! `env`, and the instruction set that the environment asks for.

use ancestral_test_support::errors;
use serde_json::Value;

use crate::program;

#[test]
fn an_instruction_set_can_be_asked_for() {
    let here = program();
    let found = here.json("env");
    let known: Vec<&str> =
        found["instruction_sets"].as_array().unwrap().iter().map(|x| x.as_str().unwrap()).collect();
    assert_eq!(known.last(), Some(&"portable"));
    let told = here.good("env --data-dir nowhere");
    assert!(told.contains("nowhere, which does not exist yet"), "{told}");
    here.good("train nade --epochs 1 --skip-test --out n");
    let with =
        |isa: &str, line: &str| here.command(line).env("ANCESTRAL_ISA", isa).output().unwrap();
    let mut values = Vec::new();
    for isa in &known {
        let told = with(isa, "env");
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains(&format!("the kernels use {isa}, as ANCESTRAL_ISA asks")), "{told}");
        let output = with(isa, "evaluate n --split valid --json");
        assert!(output.status.success(), "{}", errors(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        values.push(found["nll_nats"].as_f64().unwrap());
    }
    // They differ by rounding alone.
    assert!(values.iter().all(|nats| (nats / values[0] - 1.0).abs() < 1e-5), "{values:?}");
    let output = with("sse9", "models");
    assert_eq!(output.status.code(), Some(2));
    let said = errors(&output);
    assert!(said.contains("ANCESTRAL_ISA: there is no instruction set 'sse9' here"), "{said}");
    assert!(said.contains("portable"), "{said}");
}
