//! `sample`: classes, completions, wrong requests.

use ancestral_test_support::Image;

use crate::program;

#[test]
fn samples_are_of_the_class_that_was_asked_for() {
    let here = program();
    let small = "--set hidden=[[8]] --set conditional=true --set sample_count=0 --quiet";
    here.good(&format!("train vae --steps 20 {small} --out run"));
    here.good("sample run --class 3 -n 4 --out threes.png");
    assert_eq!(Image::open(&here.path("threes.png")).size(), (152, 152));
    here.good("sample run -n 4 --class 3 --out threes.csv");
    here.good("sample run -n 4 --class 4 --out fours.csv");
    assert_ne!(here.read("threes.csv"), here.read("fours.csv"));
    // Ten rows of two images, a caption above each and one above all.
    let labeled = here.json("sample run --labels -n 20 --out labeled.png");
    assert_eq!(labeled["n"], 20);
    assert_eq!(Image::open(&here.path("labeled.png")).size().1, 10 * (80 + 24) + 24);
    here.bad("sample run --labels -n 20 --out labeled.csv", "--labels labels one image");
    here.bad("sample run --labels --class 3", "cannot be used with");
    here.bad("sample run --class 12 -n 4", "classes 0 to 9");
    here.bad("sample nowhere", "does not exist; `ancestral runs` lists the existing runs");
    here.bad("sample nowhere --out a.svg", "must end in .png, .npy or .csv");
}

#[test]
fn images_are_completed_and_drawn_pixel_by_pixel() {
    let here = program();
    let small = "--set hidden=4 --set sample_count=0 --quiet";
    here.good(&format!("train pixel-cnn --steps 2 --set layers=1 {small} --out run"));
    let kept = "sample run --complete digits --limit 2 --keep-rows 6";
    let said = here.good(&format!("{kept} -n 2 --out kept.csv --frames kept.gif"));
    assert!(said.ends_with("wrote kept.csv\nwrote kept.gif\n"), "{said}");
    here.good(&format!("{kept} -n 2 --out plain.csv"));
    assert_eq!(here.read("kept.csv"), here.read("plain.csv"));
    assert_eq!(Image::frames(&here.path("kept.gif")).len(), 16);
    let said = here.json("sample run --frames one.gif --out one.png");
    assert_eq!((&said["n"], &said["frames"]), (&1.into(), &"one.gif".into()));
    here.bad("sample run --frames a.png", "--frames a.png: the name must end in .gif");
    here.bad("sample run --frames a.gif -n 9", "-n 9: --frames draws 1 to 6 images");
    here.bad("sample run --frames a.gif --mean", "cannot be used with");
    here.bad(&format!("{kept} --mask top"), "cannot be used with");
    here.bad("sample run --keep-rows 2", "--complete");
    here.bad(
        "sample run --complete digits --keep-rows 8",
        "those of this model have 8; keep 1 to 7",
    );
    here.write("bits.data", "0,1,1\n".repeat(40));
    here.good(&format!("train nade --data bits.data --steps 1 {small} --out table"));
    here.bad(
        "sample table --out a.csv --frames a.gif",
        "--frames: examples of shape 3 are not images",
    );
    let kept = "sample table --out a.csv --complete bits.data --keep-rows 1";
    here.bad(kept, "examples of shape 3 are not images; mark given entries by a mask");
    here.good("train vae --steps 2 --set sample_count=0 --quiet --out vae");
    here.bad("sample vae --frames a.gif", "draws all entries of an example at once");
}

#[test]
fn given_parts_are_completed() {
    let here = program();
    let row = |i: u32| format!("{},{},{}\n", i % 2, i / 2 % 2, i % 2);
    here.write("rows.data", (0..40).map(row).collect::<String>());
    here.write("first.data", "1,0\n0,1\n");
    here.write("mask.data", "0,0,1\n");
    let small = "--data rows.data --steps 1 --set hidden=[8] --quiet";
    here.good(&format!("train deep-nade {small} --out run"));
    here.good("sample run --complete first.data -n 10 --temperature 0.5 --out c.csv");
    let drawn = here.read("c.csv");
    let kept: Vec<&str> = drawn.lines().skip(1).map(|row| &row[..3]).collect();
    assert_eq!(kept, [["1,0"; 10], ["0,1"; 10]].concat());
    here.good("sample run --complete rows.data --limit 3 --mask mask.data --out c.csv");
    let drawn = here.read("c.csv");
    let kept: Vec<&str> = drawn.lines().skip(1).map(|row| &row[4..]).collect();
    assert_eq!(kept, ["0", "1", "0"]);
    here.bad("sample run --complete rows.data --out c.csv", "--mask");
    here.bad("sample run --mask mask.data", "--complete");
    here.bad("sample run --complete rows.data --mask top --out c.csv", "not images");
    // Refused values are named as in their file, with and without a header, in any order.
    here.write("odd.data", "1,0\n\n0,2\n");
    here.bad("sample run --complete odd.data --out c.csv", "line 3, column 2: 2;");
    here.write("named.csv", format!("a,b,c\n{}", here.read("rows.data")));
    let small = "--data named.csv --steps 1 --set hidden=[8] --quiet";
    here.good(&format!("train deep-nade {small} --out named"));
    here.write("odd.csv", "# given\nc,a\n1,0\n\n0,2\n");
    here.bad("sample named --complete odd.csv --out c.csv", "line 5, column 'a': 2;");
}
