//! `data` and `models`: listings, contact sheets, data that is not there.

use ancestral_test_support::assert_hash;

use crate::program;

#[test]
fn toy_data_needs_no_files() {
    let here = program();
    let listed = here.json("data list");
    for name in ["rings:8", "grid:25", "swiss-roll", "moons"] {
        let set = listed.as_array().unwrap().iter().find(|set| set["name"] == name).unwrap();
        assert_eq!(set["present"], true);
    }
    for (name, file, hash) in
        [("rings:5", "rings.png", "2770e27bad8e3412"), ("digits", "digits.png", "905cf1eabf5637e2")]
    {
        here.good(&format!("data show {name} --out {file}"));
        assert_hash(&here.path(file), hash);
    }
    here.bad("data show grid:24", "grid:25");
    here.bad("data show ring:8", "did you mean 'rings:8'?");
    here.bad("data fetch moons", "needs no files");
    assert!(here.good("models wgan-gp").contains("wasserstein"));
}

#[test]
fn a_file_of_one_row_is_shown() {
    let here = program();
    std::fs::write(here.path("one.csv"), "a,b\n1,2.5\n").unwrap();
    let shown = here.json("data show one.csv");
    assert_eq!(shown["summary"]["splits"][0]["examples"], 1);
    assert_eq!(shown["summary"]["splits"].as_array().unwrap().len(), 1);
    let notes = shown["summary"]["notes"].to_string();
    assert!(notes.contains("too few examples for splits of their own"), "{notes}");
    here.bad("fit gaussian --data one.csv", "one.csv has 1 example");
    std::fs::write(here.path("none.csv"), "a,b\n").unwrap();
    here.bad("data show none.csv", "no numbers");
}

#[test]
fn no_file_is_replaced_that_was_not_named() {
    let here = program();
    std::fs::create_dir(here.path("photos")).unwrap();
    for side in 0..3 {
        let image = ancestral_plot::Image::filled(4, 4, [side; 3]);
        image.save_png(here.path(&format!("photos/{side}.png"))).unwrap();
    }
    let photo = std::fs::read(here.path("photos/0.png")).unwrap();
    std::fs::write(here.path("photos.png"), &photo).unwrap();
    assert!(here.good("data show photos").contains("wrote photos-sheet.png"));
    assert_eq!(std::fs::read(here.path("photos.png")).unwrap(), photo);
    // Nor an image of the folder, even if it is named.
    here.bad("data show photos --out photos/0.png", "it is an input of this command");
    assert_eq!(std::fs::read(here.path("photos/0.png")).unwrap(), photo);
}

#[test]
fn what_to_do_about_data_is_said() {
    let here = program();
    let known = "download it with `ancestral data fetch mnist`, or set the folder that contains \
                 'mnist' with --data-dir or ANCESTRAL_DATA";
    here.bad("train vae --data mnist --data-dir .", known);
    here.bad("data show omniglot --data-dir .", "looked in ./omniglot; set the folder");
    let none = "no levels to binarize; use --binarize none";
    here.bad("fit gaussian --data moons --binarize static", none);
    std::fs::create_dir(here.path("images")).unwrap();
    for side in [9, 7] {
        let image = ancestral_plot::Image::filled(side, side, [0; 3]);
        image.save_png(here.path(&format!("images/{side}.png"))).unwrap();
    }
    here.bad("data show images", "7×7 as in the first; resize all images");
    assert!(!here.path("runs").exists(), "a refused command left a folder behind");
}

#[test]
fn the_data_of_a_run_is_not_replaced() {
    let here = program();
    let rows: String = (0..60).map(|i| format!("{}.5,{}.25\n", i % 7, i % 5)).collect();
    let text = format!("x,y\n{rows}");
    here.write("own.csv", &text);
    here.write("other.csv", &text);
    here.good("train rnade --data own.csv --steps 3 --set sample_count=0 --quiet --out r");
    here.write("given.csv", "x\n1.5\n");
    let own = "--out own.csv: it is the data of the run";
    here.bad("sample r --complete given.csv --out own.csv", own);
    here.bad("sample r -n 5 --out own.csv", own);
    here.bad("score r --data other.csv --out own.csv", own);
    assert_eq!(here.read("own.csv"), text);
}

#[test]
fn sheets_are_written_over_no_other_file() {
    let here = program();
    std::fs::create_dir(here.path("photos")).unwrap();
    for side in 0..3 {
        let image = ancestral_plot::Image::filled(4, 4, [side * 40; 3]);
        image.save_png(here.path(&format!("photos/{side}.png"))).unwrap();
    }
    for name in ["photos.png", "photos-sheet.png"] {
        here.write(name, "mine");
    }
    assert!(here.good("data show photos").contains("wrote photos-sheet-2.png"));
    // The same sheet again.
    assert!(here.good("data show photos").contains("wrote photos-sheet-2.png"));
    assert_eq!([here.read("photos.png"), here.read("photos-sheet.png")], ["mine", "mine"]);
}

#[test]
fn hints_name_flags_of_their_command() {
    let here = program();
    std::fs::create_dir(here.path("images")).unwrap();
    for side in [9, 7] {
        let image = ancestral_plot::Image::filled(side, side, [0; 3]);
        image.save_png(here.path(&format!("images/{side}.png"))).unwrap();
    }
    here.bad("data show images", "resize all images with --resize HxW");
    here.good("fit bernoulli --data digits --binarize threshold --out b --quiet");
    for command in ["score b --data images", "evaluate b --data images"] {
        let said = here.bad(command, "resize them to one size first");
        assert!(!said.contains("--resize"), "{said}");
    }
    // Small and large numbers are short.
    here.write("small.csv", "a,b\n1e-49,1\n2.5e20,2\n3,3\n4,4\n5,5\n");
    let shown = here.good("data show small.csv");
    assert!(shown.contains("1e-49") && !shown.contains("0.00000000"), "{shown}");
}
