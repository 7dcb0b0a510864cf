//! The commands of the worked examples.

use std::path::Path;

use ancestral_test_support::copy_folder;

use crate::program;

#[test]
fn the_commands_of_the_docs_work() {
    let here = program();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"), &here.path("docs"));
    let text = here.read("docs/anomaly-detection.md");
    let commands: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("ancestral ")).collect();
    assert_eq!(commands.len(), 5);
    let said: Vec<String> = commands.iter().map(|command| here.good(command)).collect();
    // What is wrong with them is seen in its column.
    let by_column = here.read("by-column.csv");
    let mut lines = by_column.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let rows: Vec<Vec<&str>> = lines.collect();
    for (row, column) in [(3, "height_cm"), (8, "weight_kg"), (13, "height_cm"), (17, "pulse")] {
        let term = |cell: usize| rows[row][cell].parse::<f64>().unwrap();
        let lowest = (4..names.len()).min_by(|&a, &b| term(a).total_cmp(&term(b))).unwrap();
        assert_eq!(names[lowest], format!("log_probability_{column}"), "row {row}");
    }
    // The broken rows are the least probable ones, as the page says.
    let lowest = said[1].lines().find(|l| l.starts_with("least probable")).unwrap();
    let mut rows: Vec<&str> = lowest.split("row ").skip(1).map(|r| &r[..2]).collect();
    rows.truncate(4);
    rows.sort_unstable();
    assert_eq!(rows, ["13", "17", "3 ", "8 "], "{lowest}");
    let (new, filled) = (here.read("docs/new-measurements.csv"), here.read("filled.csv"));
    let cells = |text: &str| -> Vec<Vec<f64>> {
        let rows = text.lines().skip(1);
        rows.map(|l| l.split(',').map(|c| c.parse().unwrap()).collect()).collect()
    };
    for (i, (given, got)) in cells(&new).iter().zip(cells(&filled)).enumerate() {
        let kept =
            given.iter().zip(&got).enumerate().all(|(c, (a, b))| c == 1 || (a - b).abs() < 1e-4);
        assert!(kept && given[1] != got[1], "row {i}: {given:?} {got:?}");
        // A height in inches is filled with one in centimeters.
        assert!(i != 3 || (140.0..200.0).contains(&got[1]), "{got:?}");
    }
}

#[test]
fn the_commands_about_rules_work() {
    let here = program();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"), &here.path("docs"));
    let text = here.read("docs/association-rules.md");
    let commands: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("ancestral ")).collect();
    assert_eq!(commands.len(), 6);
    for command in &commands {
        let said = here.good(command);
        // What the page shows of it.
        for line in said.lines().filter(|line| !line.starts_with("wrote ")) {
            assert!(text.contains(line), "{command}: {line}");
        }
    }
}

#[test]
fn the_commands_on_distributions_work() {
    let here = program();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"), &here.path("docs"));
    let text = here.read("docs/distributions.md");
    let commands: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("ancestral ")).collect();
    assert_eq!(commands.len(), 11);
    let said: Vec<String> = commands.iter().map(|command| here.good(command)).collect();
    assert!(said[0].contains("densities, by AIC") && said[0].contains("refused"), "{}", said[0]);
    for word in ["against exponential (shape = 1)", "quantile 0.99: ", "P(X > 200): ", "(p = "] {
        assert!(said[1].contains(word), "{word}: {}", said[1]);
    }
    for plot in ["density", "qq", "pp", "likelihood"] {
        assert!(here.path(&format!("gamma/{plot}.png")).exists(), "{plot}");
    }
    let five = here.read("five.csv");
    assert!(five.starts_with("hours\n") && five.lines().count() == 6, "{five}");
    assert!(said[5].contains("against poisson (size = ∞)") && !said[5].contains("p = 1,"));
    assert!(said[9].contains("quantile 0.5: "), "{}", said[9]);
}

#[test]
fn the_commands_about_clusters_work() {
    let here = program();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"), &here.path("docs"));
    let text = here.read("docs/clustering.md");
    let commands: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("ancestral ")).collect();
    assert_eq!(commands.len(), 9);
    for command in &commands {
        let said = here.good(command);
        // What the page shows of its first commands.
        for line in
            said.lines().filter(|_| command.contains("customers") && !command.contains("assign"))
        {
            assert!(text.contains(line), "{command}: {line}");
        }
    }
    // Three groups, and new rows go into them.
    let last = |file: &str| -> Vec<String> {
        let text = here.read(file);
        text.lines().skip(1).map(|l| l.rsplit(',').next().unwrap().to_owned()).collect()
    };
    let labels = last("labels.csv");
    let few: std::collections::BTreeSet<&String> = labels.iter().collect();
    assert_eq!((labels.len(), few.len()), (325, 4), "three clusters and noise");
    let new = last("new-labels.csv");
    assert!(new[0] != new[1] && new[1] != new[2] && new[0] != new[2], "{new:?}");
    assert_eq!(last("newer-labels.csv")[3], "-1");
}

#[test]
fn the_commands_about_classes_and_targets_work() {
    let here = program();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs"), &here.path("docs"));
    let text = here.read("docs/supervised.md");
    let commands: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix("ancestral ")).collect();
    assert_eq!(commands.len(), 18);
    let said: Vec<String> = commands.iter().map(|command| here.good(command)).collect();
    // What the page shows of them.
    let shown = |command: &&str| command.contains("--plot") || command.contains("predictions.csv");
    for (command, said) in commands.iter().zip(&said).filter(|(command, _)| shown(command)) {
        for line in said.lines() {
            assert!(text.contains(line), "{command}: {line}");
        }
    }
    // The row that is like no variety.
    assert!(said[2].contains("least probable of all classes together: row 4"), "{}", said[2]);
    assert_eq!(here.read("long.csv").lines().count(), 6);
    assert_eq!(here.read("drawn.csv").lines().count(), 301);
}
