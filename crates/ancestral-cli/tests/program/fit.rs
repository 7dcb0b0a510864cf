//! `fit`: distributions by maximum likelihood.

use crate::program;

#[test]
fn estimates_and_a_density_without_bits_are_printed() {
    let here = program();
    let said = here.good("fit gaussian --data digits");
    assert!(said.contains("test negative log-density") && !said.contains("bits"), "{said}");
    assert!(said.contains("variance[2] = ") && said.contains("covariance[2, 1] = "), "{said}");
    assert!(said.contains("runs/gaussian-digits-1"), "{said}");
    here.bad("fit bernoulli --counts 3/2", "no more heads than tosses");
}

#[test]
fn the_command_with_its_fold_is_kept() {
    let here = program();
    let row = |i: u32| format!("{},{}.5,{}\n", i % 4 + 1, i * 7 % 11, i * 5 % 13);
    let rows: String = (0..40).map(row).collect();
    here.write("rows.csv", format!("fold,x,y\n{rows}"));
    here.good("fit gaussian --data rows.csv --fold 4 --out g");
    let config = here.read("g/config.toml");
    assert!(config.contains("fold = 4") && config.contains("rows.csv --fold 4"), "{config}");
    here.bad("fit gaussian --data rows.csv --fold x", "--fold");
}
