//! Wrong usage: exit codes, hints, and nothing left behind.

use crate::program;

#[test]
fn wrong_input_is_named_and_ends_with_2() {
    let here = program();
    here.bad("train vea", "did you mean 'vae'?");
    here.bad("train vae --set beta=-1", "setting 'beta' is -1");
    here.bad("train vae --data nowhere.csv", "nowhere.csv");
    here.bad("train vae --preset best", "burda-1l");
    here.bad("train vae --time soon", "90s");
    here.bad("train vae --device gpu", "cpu");
    here.bad("train vae --threads 3000", "at most");
    here.bad("train gaussian", "ancestral fit gaussian");
    here.bad("train rnade", "models that take this data: nade,");
    here.bad("train vae --set likelihood=bernoulli", "binarize it: dynamic");
    assert!(!here.path("runs").exists(), "a refused command left a folder behind");
    here.write("rows.csv", "a,b\n1.5,2\n0.1,x\n");
    here.bad("train vae --data rows.csv", "rows.csv");
}
