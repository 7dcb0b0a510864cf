//! `runs`: filters, orders, and the settings that differ.

use serde_json::Value;

use crate::program;

#[test]
fn runs_are_filtered_sorted_and_told_apart() {
    let here = program();
    for (name, hidden, steps) in [("wide", 16, 30), ("small", 4, 60)] {
        let set = format!("--set hidden={hidden} --set sample_count=0");
        here.good(&format!("train nade --steps {steps} {set} --quiet --out runs/{name}"));
    }
    here.good("fit gaussian --data moons --quiet --out runs/normal");
    let names = |line: &str| -> Vec<String> {
        let list = here.json(line);
        let name = |run: &Value| run["run"].as_str().unwrap().replace("runs/", "");
        list.as_array().unwrap().iter().map(name).collect()
    };
    assert_eq!(names("runs --sort hidden --filter model=nade"), ["small", "wide"]);
    assert_eq!(names("runs --sort hidden --reverse --filter model=nade"), ["wide", "small"]);
    assert_eq!(names("runs --filter hidden>4"), ["wide"]);
    assert_eq!(names("runs --filter step<60 --filter model=nade"), ["wide"]);
    assert_eq!(names("runs --filter data=moons"), ["normal"]);
    assert_eq!(names("runs --sort epoch"), ["normal", "wide", "small"].map(String::from));
    let said = here.good("runs");
    for words in ["hidden=16  steps=30", "hidden=4  steps=60"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // What is the same in all of them is not repeated.
    assert!(!said.contains("learning_rate"), "{said}");
    // Columns are as wide as their longest cell.
    let column = |line: &str| line.find("digits").or(line.find("moons"));
    let mut places: Vec<usize> = said.lines().filter_map(column).collect();
    places.dedup();
    assert_eq!(places.len(), 1, "{said}");
    assert_eq!(here.good("runs --filter model=vae"), "no run matches --filter\n");
    here.bad("runs --filter hiden=4", "'hiden' is no setting of these runs");
    here.bad("runs --filter hidden", "give KEY=VALUE");
    here.bad("runs --filter hidden<x", "x is not a number");
    here.bad("runs --sort nothing", "no setting of these runs");
}
