//! The settings of the training loop against their JSON schema, as the suite checks those of models.

use ancestral::settings::Settings;
use ancestral::testing::check_settings;
use ancestral::train::TrainConfig;

#[test]
fn the_settings_of_the_training_loop_fit_their_schema() {
    let tried = check_settings("train", &TrainConfig::fields()).unwrap_or_else(|e| panic!("{e}"));
    assert!(tried > 500, "{tried}");
}
