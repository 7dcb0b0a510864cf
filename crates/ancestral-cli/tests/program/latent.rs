//! `encode`, `latent` and `interpolate`: codes as tables, arrays and plots, and walks between them.

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

#[test]
fn a_walk_says_which_examples_it_is_between() {
    let here = program();
    here.good("train vae --steps 20 --set sample_count=0 --quiet --out run");
    let walk = "interpolate run --from 3 --to 7 -n 5";
    for out in ["walk.png", "walk.gif", "walk.npy"] {
        let said = here.good(&format!("{walk} --split valid --out {out}"));
        assert_eq!(said, format!("from example 3 to 7 of digits, valid split\nwrote {out}\n"));
    }
    let said = here.good("interpolate run --out first.png");
    assert!(said.starts_with("from example 0 to 1 of digits, test split\n"), "{said}");
    here.good("sample run -n 40 --out drawn.npy --quiet");
    let said = here.good(&format!("{walk} --data drawn.npy --split train --out other.npy"));
    assert!(said.starts_with("from example 3 to 7 of drawn.npy, train split\n"), "{said}");
    assert_eq!(here.good(&format!("{walk} --out ends.npy --quiet")), "ends.npy\n");
    let found = here.json(&format!("{walk} --out ends.npy"));
    assert_eq!((&found["from"], &found["to"], &found["n"]), (&3.into(), &7.into(), &5.into()));
    here.bad("interpolate run --to 300", "the test split has examples 0 to 299");
    // Its ends are what the model makes of these examples, and of no others.
    here.good("reconstruct run -n 8 --out all.npy --quiet");
    let row = |file: &str, i: usize| -> Vec<f32> {
        let bytes = &here.bytes(file)[128 + 256 * i..][..256];
        bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect()
    };
    for (end, example) in [(0, 3), (4, 7)] {
        let far = |i: usize| -> f32 {
            let pairs = row("ends.npy", end).into_iter().zip(row("all.npy", i));
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(far(example) < 1e-4, "{end}: {}", far(example));
        assert!((0..8).all(|i| i == example || far(i) > 1e-2), "{end}");
    }
}
