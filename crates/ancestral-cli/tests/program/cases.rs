//! Files of kinds that are trouble elsewhere, each with what is right for it, where they lie beside
//! the project in `shared/cases`.

use std::path::{Path, PathBuf};

use ancestral_test_support::{Program, errors};
use serde_json::Value;

use crate::program;

/// The folder of a case, if the cases are there.
fn case(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let folder = beside.join(name);
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder.canonicalize().unwrap())
}

fn at(folder: &Path, file: &str) -> String {
    folder.join(file).display().to_string()
}

/// What `data show` says of a file: the summary.
fn shown(here: &Program, file: &str) -> Value {
    here.json(&format!("data show {file} --out sheet.png"))["summary"].clone()
}

fn counts(summary: &Value) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for split in summary["splits"].as_array().unwrap() {
        for class in split["balance"].as_array().into_iter().flatten() {
            let (name, n) = (class["class"].as_str().unwrap(), class["examples"].as_u64().unwrap());
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += n,
                None => counts.push((name.to_owned(), n)),
            }
        }
    }
    counts
}

/// The means of a fitted Gaussian, and its negative log-densities of the splits.
fn gaussian(here: &Program, file: &str, out: &str) -> (Vec<f64>, f64, f64, f64) {
    let found = here.json(&format!("fit gaussian --data {file} --out {out}"));
    let estimates = found["estimates"].as_array().unwrap();
    let means = estimates.iter().filter(|e| e["name"].as_str().unwrap().starts_with("mean"));
    let means = means.map(|e| e["value"].as_f64().unwrap()).collect();
    let value = |split: &str, key: &str| found[split][key].as_f64().unwrap();
    let standardized = value("train", "nll_standardised");
    (means, value("train", "nll_nats"), value("test", "nll_nats"), standardized)
}

#[test]
fn classes_of_other_data_are_matched_by_name() {
    let Some(folder) = case("01-class-names-on-other-data") else { return };
    let here = program();
    let train = "train features --epochs 15 --set sample_count=0 --quiet --out f";
    here.good(&format!("{train} --data {}", at(&folder, "animals")));
    for other in ["animals_all", "animals_new"] {
        let found = here.json(&format!("evaluate f --data {}", at(&folder, other)));
        assert_eq!(found["accuracy"].as_f64().unwrap(), 1.0, "{other}: {found}");
    }
    // An unknown name is named.
    for class in ["cat", "cow"] {
        std::fs::create_dir_all(here.path(&format!("farm/{class}"))).unwrap();
        for i in 0..4 {
            let from = folder.join(format!("animals/cat/{i:03}.png"));
            std::fs::copy(from, here.path(&format!("farm/{class}/{i}.png"))).unwrap();
        }
    }
    here.bad("evaluate f --data farm", "class cow, and the classes of the run are bird, cat, dog");
}

#[test]
fn a_shift_of_a_column_changes_no_density() {
    let Some(folder) = case("03-large-offsets") else { return };
    let here = program();
    let (_, _, plain, _) = gaussian(&here, &at(&folder, "off0e+00.csv"), "g0");
    assert!((plain - 2.280).abs() < 1e-3, "{plain}");
    for (file, out) in [("off1e+07.csv", "g7"), ("off1e+08.csv", "g8")] {
        let (_, _, shifted, _) = gaussian(&here, &at(&folder, file), out);
        assert!((shifted - plain).abs() < 1e-4, "{file}: {shifted} {plain}");
    }
    let mut found = Vec::new();
    for (file, out) in [("off0e+00.csv", "r0"), ("off1e+07.csv", "r7"), ("off1e+08.csv", "r8")] {
        let train = "train rnade --epochs 30 --set sample_count=0";
        let run = here.json(&format!("{train} --data {} --out {out}", at(&folder, file)));
        found.push(run["test"]["nll_nats"].as_f64().unwrap());
    }
    assert!(found.iter().all(|nll| (nll - found[0]).abs() < 2e-3), "{found:?}");
}

#[test]
fn decimal_commas_are_read() {
    let Some(folder) = case("04-decimal-comma-text") else { return };
    let here = program();
    let files = ["decimal_semicolon.csv", "decimal_semicolon_nohead.csv", "decimal_space.data"];
    for (i, file) in files.into_iter().chain(["decimal_space.txt"]).enumerate() {
        let (means, ..) = gaussian(&here, &at(&folder, file), &format!("g{i}"));
        assert_eq!(means.len(), 3, "{file}: {means:?}");
        for (mean, truth) in means.iter().zip([10.0, 20.0, 30.0]) {
            assert!((mean - truth).abs() < 1.0, "{file}: {means:?}");
        }
    }
}

#[test]
fn files_of_images_are_what_they_are() {
    let here = program();
    if let Some(folder) = case("05-truncated-jpeg") {
        let folder = at(&folder, "trunc_jpg");
        here.bad(&format!("data show {folder}"), "05.jpg: image: the file ends too early");
    }
    if let Some(folder) = case("06-hidden-folders") {
        let found = shown(&here, &at(&folder, "ipynb"));
        assert_eq!(counts(&found), [("cat".to_owned(), 10), ("dog".to_owned(), 10)]);
    }
    if let Some(folder) = case("07-other-picture-types-left-out") {
        let found = shown(&here, &at(&folder, "exts"));
        assert_eq!(counts(&found), [("cat".to_owned(), 12), ("dog".to_owned(), 12)]);
        shown(&here, &at(&folder, "webponly"));
    }
    if let Some(folder) = case("10-labels-lost-for-all") {
        let stray = format!("data show {}", at(&folder, "stray"));
        here.bad(&stray, "preview.png: path: is in no class folder");
        let found = shown(&here, &at(&folder, "kaggle_dir"));
        assert_eq!(found["classes"], 2, "{found}");
        let train = "train cgan --steps 2 --set network=mlp --set sample_count=0 --quiet --out c";
        here.good(&format!("{train} --data {}", at(&folder, "kaggle_dir")));
    }
    if let Some(folder) = case("20-cifar") {
        let missing = format!("data show {}", at(&folder, "cifar_missing"));
        here.bad(&missing, "data_batch_3.bin");
        let python = format!("data show {}", at(&folder, "cifar-10-python.tar.gz"));
        let said = here.bad(&python, "the Python version of CIFAR-10");
        assert!(said.contains("cifar-10-binary.tar.gz"), "{said}");
    }
}

#[test]
fn classes_are_those_that_occur() {
    let Some(folder) = case("08-classes-with-gaps") else { return };
    let here = program();
    let found = shown(&here, &at(&folder, "mnist37"));
    assert_eq!(found["classes"], 2, "{found}");
    let names: Vec<String> = counts(&found).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["3", "7"]);
    let train = "train cgan --steps 2 --set network=mlp --set sample_count=0 --quiet";
    here.good(&format!("{train} --data {} --out m37", at(&folder, "mnist37")));
    here.good("sample m37 -n 4 --class 7 --out seven.png");
    here.bad("sample m37 -n 4 --class 0 --out c0.png", "give one of the names 3, 7");
}

#[test]
fn tables_are_read_for_what_they_are() {
    let here = program();
    if let Some(folder) = case("11-pandas-index") {
        let file = at(&folder, "pandas_index.csv");
        let (means, _, test, _) = gaussian(&here, &file, "g");
        assert_eq!(means.len(), 3);
        assert!((test - 5.124).abs() < 1e-3, "{test}");
        let said = errors(&here.run(&format!("data show {file}")));
        assert!(said.contains("the first column has no name and numbers the rows"), "{said}");
    }
    if let Some(folder) = case("13-savetxt-header") {
        for file in ["savetxt_first.csv", "savetxt_last.csv"] {
            let found = shown(&here, &at(&folder, file));
            assert_eq!((&found["shape"][0], &found["classes"]), (&3.into(), &3.into()), "{found}");
            assert_eq!(found["columns"][0], "height", "{found}");
        }
        let found = shown(&here, &at(&folder, "savetxt.txt"));
        assert_eq!(found["columns"].as_array().unwrap().len(), 3, "{found}");
    }
    if let Some(folder) = case("16-real-target") {
        let found = shown(&here, &at(&folder, "target_real.csv"));
        assert_eq!((&found["shape"][0], &found["classes"]), (&4.into(), &0.into()), "{found}");
        assert_eq!(found["columns"][3], "target");
    }
    if let Some(folder) = case("17-missing-label") {
        let said = here.bad(&format!("data show {}", at(&folder, "missing_label.csv")), "no label");
        assert!(said.contains("line 7, column 4"), "{said}");
    }
    if let Some(folder) = case("19-wrong-line-numbers") {
        for (file, line) in [("crlf_line_no.csv", 4), ("blank_line_no.csv", 9)] {
            let said = here.bad(&format!("data show {}", at(&folder, file)), "'x'; expected");
            assert!(said.contains(&format!("line {line}, column 2")), "{said}");
        }
        shown(&here, &at(&folder, "blank.csv"));
    }
}

#[test]
fn units_of_columns_do_not_matter() {
    let Some(folder) = case("15-gaussian-small-units") else { return };
    let here = program();
    let (_, meters, _, standardized) = gaussian(&here, &at(&folder, "small_units.csv"), "g");
    let (_, microns, _, same) = gaussian(&here, &at(&folder, "small_units_um.csv"), "g2");
    assert!((meters + 17.138).abs() < 2e-3, "{meters}");
    assert!((microns - meters - 2.0 * 1e6f64.ln()).abs() < 1e-6, "{microns} {meters}");
    assert!((standardized - 1.968).abs() < 2e-3 && (standardized - same).abs() < 1e-6);
    let said =
        here.good(&format!("fit gaussian --data {} --out g3", at(&folder, "small_units.csv")));
    let variance = said.lines().find(|line| line.starts_with("variance[a]")).unwrap();
    assert!(variance.contains("e-9 ±") || variance.contains("e-8 ±"), "{variance}");
}

#[test]
fn unclear_files_are_read_or_named() {
    let Some(folder) = case("23-unclear-errors") else { return };
    let here = program();
    for file in ["bom.txt", "sep.csv", "trailing_zero.csv.gz"] {
        let found = shown(&here, &at(&folder, file));
        assert_eq!(found["shape"][0], 3, "{file}: {found}");
    }
    here.bad(&format!("data show {}", at(&folder, "huge.npy")), "1e300 is beyond");
    let two = format!("data show {}", at(&folder, "two_labels.csv"));
    here.bad(&two, "column 2 ('class'): it may hold the classes, and so may column 'label'");
}
