//! `explain`: topics, options and images.

use ancestral_test_support::assert_hash;

use crate::program;

#[test]
fn a_concept_is_demonstrated() {
    let here = program();
    let said = here.good("explain density");
    assert!(said.contains("height at 0 is 3.989, the area is 1.0000"), "{said}");
    assert!(said.trim_end().ends_with("wrote explain-density/density.png"), "{said}");
    assert_hash(&here.path("explain-density/density.png"), "4e8627c2a7ae2108");
    std::fs::create_dir(here.path("explain-elbo")).unwrap();
    here.bad("explain elbo", "already exists");
    here.bad("explain elb", "elbo");
    here.bad("explain density --seed 1", "density does not use it");
    here.bad("explain elbo --epochs 0 --out none", "'epochs' is 0");
}
