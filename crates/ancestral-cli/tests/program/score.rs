//! `score`: files of samples, and rows that do not suit.

#[cfg(target_os = "linux")]
use crate::peak_memory;
use crate::program;

#[test]
fn a_model_scores_its_own_samples() {
    let here = program();
    here.good("train vae --epochs 1 --set sample_count=0 --out run");
    for file in ["drawn.csv", "drawn.npy"] {
        here.good(&format!("sample run -n 7 --out {file}"));
        let said = here.good(&format!("score run --data {file} --samples 3"));
        assert!(said.contains("7 rows of drawn"), "{said}");
    }
    let text = here.read("drawn.csv");
    let mut lines: Vec<&str> = text.lines().collect();
    let wrong = lines[3].replacen(|c: char| c.is_ascii_digit(), "17.5", 1);
    lines[3] = &wrong;
    here.write("wrong.csv", lines.join("\n"));
    here.bad("score run --data wrong.csv", "line 4, column 'x0': 17.5");
}

#[test]
fn ensembles_are_averaged() {
    let here = program();
    let rows: String = (0..60).map(|i| format!("{},{},0\n", i % 2, i / 3 % 2)).collect();
    here.write("bits.csv", format!("a,b,c\n{rows}"));
    here.good("train made --data bits.csv --steps 5 --set masks=3 --quiet --out m");
    let said = here.good("evaluate m --orderings 3");
    assert!(said.contains("exact, 3 averaged") && said.contains("2 averaged: "), "{said}");
    let nll: f64 = here.good("evaluate m --orderings 3 --quiet").trim().parse().unwrap();
    here.good("score m --data bits.csv --split test --orderings 3 --out s.csv");
    let text = here.read("s.csv");
    let nats: Vec<f64> =
        text.lines().skip(1).map(|l| l.split(',').nth(1).unwrap().parse().unwrap()).collect();
    assert!((nats.iter().sum::<f64>() / nats.len() as f64 + nll).abs() < 1e-9, "{text}{nll}");
    here.bad("evaluate m --orderings 4", "it has 3 masks");
}

#[test]
fn a_density_is_in_raw_units() {
    let here = program();
    let rows: String = (0..40).map(|i| format!("{}.5,{}\n", i * 7 % 11, i * 5 % 13)).collect();
    here.write("rows.csv", format!("x,y\n{rows}"));
    here.good("fit gaussian --data rows.csv --out g");
    let said = here.good("score g --data rows.csv --out scores.csv");
    assert!(said.contains("40 rows of rows.csv, mean log-density in raw units"), "{said}");
    assert_eq!(here.read("scores.csv").lines().count(), 41);
}

/// They add up, and tell which column of a row is odd.
#[test]
fn terms_are_given_by_column() {
    let here = program();
    let rows: String =
        (0..60).map(|i| format!("{}.5,{}\n", i * 7 % 11, 2 * (i * 7 % 11) + i % 3)).collect();
    here.write("rows.csv", format!("size,\"cost, all\"\n{rows}"));
    here.write("odd.csv", "size,\"cost, all\"\n5.5,11\n5.5,-40\n");
    here.good("fit gaussian --data rows.csv --out g");
    here.good("score g --data odd.csv --columns --out scores.csv");
    let text = here.read("scores.csv");
    let mut lines = text.lines();
    let header = "row,log_probability,kind,mc_stderr,log_probability_size,\
                  \"log_probability_cost, all\"";
    assert_eq!(lines.next().unwrap(), header);
    let numbers: Vec<Vec<f64>> =
        lines.map(|line| line.split(',').filter_map(|cell| cell.parse().ok()).collect()).collect();
    for row in &numbers {
        let [_, whole, _, size, cost] = row[..] else { panic!("{text}") };
        assert!((whole - size - cost).abs() < 1e-12 * whole.abs(), "{text}");
    }
    assert!(numbers[1][4] < numbers[0][4] - 100.0, "{text}");
    assert!((numbers[1][3] - numbers[0][3]).abs() < 1e-12, "{text}");
    here.good(
        "train vae --data rows.csv --steps 2 --set latent_dims=[2] --set sample_count=0 --out v",
    );
    here.bad("score v --data odd.csv --columns", "not a sum over columns");
}

/// A table is scored in parts, from a file and from a pipe, whatever its size.
#[cfg(target_os = "linux")]
#[test]
fn a_table_larger_than_what_is_held_is_scored_in_bounded_memory() {
    let here = program();
    let rows = |from: usize, n: usize| -> String {
        (from..from + n).map(|i| format!("{},{},{}\n", i * 7 % 11, i * 5 % 13, i % 3)).collect()
    };
    here.write("few.csv", format!("x,y,z\n{}", rows(0, 1000)));
    here.good("fit gaussian --data few.csv --out g");
    // Eight times as many entries as are held: as numbers, results and text they take half a GiB.
    let (small, large) = (1_000_000, 5_600_000);
    for (name, n) in [("small.csv", small), ("large.csv", large)] {
        here.write(name, format!("x,y,z\n{}", rows(0, n)));
    }
    let score = |name: &str| {
        peak_memory(&here, &format!("score g --data {name} --out scored-{name} --quiet"))
    };
    let (of_small, of_large) = (score("small.csv"), score("large.csv"));
    assert!(of_small > 1 << 20, "{of_small}");
    assert!(of_large < of_small + (128 << 20), "{of_small}, {of_large}");
    // As the first rows alone are scored, which are held.
    here.good("score g --data few.csv --out first.csv --quiet");
    let (first, all) = (here.read("first.csv"), here.read("scored-large.csv"));
    assert!(all.starts_with(&first));
    assert_eq!(all.lines().count(), large + 1);
    assert!(all.lines().last().unwrap().starts_with(&format!("{},", large - 1)));
    // The same from a pipe, after which nothing stays.
    let pipe = here.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let from = here.path("small.csv");
    let writer = std::thread::spawn(move || std::fs::copy(from, pipe).unwrap());
    here.good("score g --data pipe --out new/piped.csv --quiet");
    writer.join().unwrap();
    assert!(here.read("new/piped.csv") == here.read("scored-small.csv"));
    assert_eq!(std::fs::read_dir(here.path("new")).unwrap().count(), 1);
}

/// The test split of a fold is that of the run, whether its data is named again or not.
#[test]
fn a_fold_is_that_of_the_run() {
    let here = program();
    let row = |i: u32| format!("{},{}.5,{}\n", i % 4 + 1, i * i % 17, i % 5);
    here.write("folds.csv", format!("fold,a,b\n{}", (0..90).map(row).collect::<String>()));
    here.good("fit gaussian --data folds.csv --fold 3 --out run --quiet");
    let own = here.json("evaluate run");
    assert_eq!(own["n"], 22, "{own}");
    let named = here.json("evaluate run --data folds.csv --split test");
    assert_eq!((&named["n"], &named["nll_nats"]), (&own["n"], &own["nll_nats"]));
    here.good("score run --data ./folds.csv --split test --out scores.csv --quiet");
    assert_eq!(here.read("scores.csv").lines().count(), 23);
    here.good("score run --data folds.csv --out all.csv --quiet");
    assert_eq!(here.read("all.csv").lines().count(), 91);
}
