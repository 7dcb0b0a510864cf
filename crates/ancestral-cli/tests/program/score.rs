//! `score`: files of samples, and rows that do not suit.

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
    here.bad("score run --data wrong.csv", "row 2, column 'x0': 17.5");
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
