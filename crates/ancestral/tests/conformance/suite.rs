//! The suite of `ancestral::testing` over the standard models: one test for each check.

use std::sync::LazyLock;

use ancestral::Registry;
use ancestral::model::ModelEntry;
use ancestral::testing::{CHECKS, Case};
use ancestral_data::{Dataset, Domain, Shape};
use toml::Table;

use crate::cases::{adversarial, cases, shaped};

/// Every model on every domain that it takes, and densities in the plane, which are integrated.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let plane = |(name, settings): (&str, &str)| {
        Case::new(name, settings.parse().unwrap(), shaped(Domain::Real, Shape::columns(2)))
    };
    let in_the_plane = [
        ("gaussian", ""),
        ("gaussian", "covariance = 'diagonal'"),
        ("gmm", "components = 3"),
        ("gmm", "components = 2\ncovariance = 'diagonal'"),
        ("kde", ""),
        ("qda", ""),
        ("lda", ""),
        ("naive-bayes", ""),
        ("linear", ""),
        ("rnade", "hidden = 6\ncomponents = 2"),
        ("rnade", "hidden = 5\ncomponents = 3\nfamily = 'laplace'\nrescale = false"),
        ("deep-nade", "hidden = [8]\nactivation = 'softplus'\ncomponents = 2"),
    ];
    let all = cases().into_iter().enumerate().map(case);
    all.chain(in_the_plane.map(plane)).collect()
});

/// The case of a model; runs try one update rule after another.
fn case((i, (entry, data, settings)): (usize, (ModelEntry, Dataset, Table))) -> Case {
    let rules = ["adam", "adamw", "rmsprop", "sgd", "adagrad", "adadelta"];
    // The doubly reparameterized gradient of the encoder is not the derivative of the loss, nor is a
    // mean's gradient that is multiplied by σ.
    let scaled = data.domain == Domain::Real && settings.contains_key("scale_mean_gradients");
    let surrogate: fn(&str) -> bool = match settings.keys().any(|name| name.starts_with("doubly_"))
    {
        true => |tensor| tensor.starts_with("model.encoder"),
        false if scaled => |_| true,
        false => |_| false,
    };
    let train = format!("optimizer = '{}'", rules[i % rules.len()]).parse().unwrap();
    // On examples of few columns adversarial networks start from other settings than on images.
    let data_defaults = adversarial(entry.name) && data.shape.size() <= 8;
    Case { train, data_defaults, surrogate, ..Case::new(entry.name, settings, data) }
}

/// Runs a check over all cases; it has to make at least so many comparisons.
fn run(name: &str, least: usize) {
    let check = CHECKS.iter().find(|check| check.name == name).unwrap();
    let tried = check.run(&Registry::standard(), &CASES).unwrap_or_else(|e| panic!("{e}"));
    assert!(tried >= least, "{name}: {tried} of {least}");
}

/// One test for each check, with the least number of its comparisons.
macro_rules! suite {
    ($($check:ident: $least:literal,)*) => {
        $(
            #[test]
            fn $check() {
                run(stringify!($check), $least);
            }
        )*

        const LISTED: &[&str] = &[$(stringify!($check)),*];
    };
}

suite! {
    tasks_follow_from_capabilities: 20,
    defaults_build_what_is_declared: 20,
    settings_are_declared_once_with_documentation: 100,
    presets_are_read: 20,
    defaults_and_presets_fit_the_schema: 20,
    the_schema_agrees_with_what_is_read: 1000,
    whole_tables_are_taken_or_refused_by_both: 100,
    models_answer_what_their_entries_declare: 100,
    models_are_as_large_as_they_say: 100,
    learning_and_validation_are_as_declared: 100,
    all_that_is_declared_is_answered: 1000,
    all_validation_metrics_are_given: 10,
    kinds_are_taken_exactly_if_they_are_declared: 100,
    mixed_columns_are_taken_or_named: 10,
    settings_are_given_or_default: 1000,
    kept_settings_make_the_same_model: 100,
    invalid_numbers_are_refused: 1000,
    all_names_of_a_setting_give_the_same_model: 10,
    log_probabilities_do_not_depend_on_the_batch: 100,
    probabilities_sum_to_one: 1000000,
    column_terms_add_up_to_the_log_probability: 60,
    column_terms_belong_to_their_columns: 100,
    members_that_an_ensemble_lacks_are_refused: 20,
    batches_that_do_not_fit_are_refused: 100,
    networks_refuse_missing_entries: 100,
    samples_depend_on_their_number_alone: 100,
    temperatures_work_where_they_apply: 100,
    classes_are_drawn_where_there_are_some: 50,
    means_are_given_where_samples_have_noise: 50,
    known_entries_are_completed_where_possible: 100,
    codes_lead_back_to_the_domain: 12,
    class_probabilities_depend_on_the_example_alone: 12,
    scores_depend_on_the_example_alone: 33,
    // No standard model groups examples; see registry.rs.
    clusters_depend_on_the_example_alone: 0,
    fits_report_progress_and_repeat: 4,
    a_step_changes_weights: 50,
    gradients_agree_with_finite_differences: 1000,
    a_resumed_run_equals_a_whole_one: 50,
    threads_change_no_bit: 100,
    saved_weights_give_the_same_outputs: 100,
}

#[test]
fn every_check_has_its_test() {
    let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(LISTED, names);
}
