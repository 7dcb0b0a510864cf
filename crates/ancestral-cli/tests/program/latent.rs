//! `encode` and `latent`: codes as tables, arrays and plots.

use ancestral_test_support::assert_lines;

use crate::program;

#[test]
fn codes_are_drawn_or_written() {
    let here = program();
    here.good("train vae --epochs 1 --set latent_dims=[1] --quiet --out line");
    here.good("latent line --out line.svg");
    let words = ["latent codes of digits", "code", "examples", "9"];
    assert_lines(&here.path("line.svg"), &words, &[30; 10]);
    here.good("train vae --steps 1 --set sample_count=0 --quiet --out run");
    here.good("latent run --out codes.npy");
    assert_eq!(here.bytes("codes.npy").len(), 128 + 300 * 20 * 4);
    here.good("encode run --out codes.csv");
    assert_eq!(here.read("codes.csv").lines().count(), 301);
}
