//! The list of checks, and running them.

use super::case::{Case, Subject};
use super::problem::{Failure, Problem, Tried};
use super::{
    batches, classifier, clusterer, columns, declared, density, discriminator, estimator, latent,
    sampler, schema, settings, trainable, weights,
};
use crate::model::ModelEntry;
use crate::registry::Registry;
use crate::settings::{Field, normalize};

/// A check that every model must pass.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its name: the property that must hold.
    pub name: &'static str,
    of: Of,
}

/// The subject of a check.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// An entry without a case.
    Entry(fn(&Registry, &ModelEntry) -> Tried),
    /// A case.
    Case(fn(&Subject<'_>) -> Tried),
    /// All cases of an entry.
    Cases(fn(&[Subject<'_>]) -> Tried),
}

const fn entry(name: &'static str, check: fn(&Registry, &ModelEntry) -> Tried) -> Check {
    Check { name, of: Of::Entry(check) }
}

const fn case(name: &'static str, check: fn(&Subject<'_>) -> Tried) -> Check {
    Check { name, of: Of::Case(check) }
}

const fn cases(name: &'static str, check: fn(&[Subject<'_>]) -> Tried) -> Check {
    Check { name, of: Of::Cases(check) }
}

/// All checks.
pub const CHECKS: &[Check] = &[
    entry("tasks_follow_from_capabilities", declared::tasks_follow_from_capabilities),
    entry("defaults_build_what_is_declared", declared::defaults_build),
    entry("settings_are_declared_once_with_documentation", settings::entry_fields_are_declared),
    entry("presets_are_read", settings::presets_are_read),
    entry("defaults_and_presets_fit_the_schema", schema::presets_fit),
    entry("the_schema_agrees_with_what_is_read", schema::entry_agrees_with_reading),
    entry("whole_tables_are_taken_or_refused_by_both", schema::entry_agrees_on_whole_tables),
    case("models_answer_what_their_entries_declare", declared::answers_as_declared),
    case("models_are_as_large_as_they_say", declared::size_is_as_declared),
    case("learning_and_validation_are_as_declared", declared::learns_as_declared),
    cases("all_that_is_declared_is_answered", declared::all_declared_is_answered),
    cases("all_validation_metrics_are_given", declared::all_validation_metrics_are_given),
    cases("kinds_are_taken_exactly_if_they_are_declared", columns::kinds_are_taken_as_declared),
    cases("mixed_columns_are_taken_or_named", columns::mixed_kinds_are_taken_or_named),
    case("settings_are_given_or_default", settings::given_or_default),
    case("kept_settings_make_the_same_model", settings::kept_settings_make_the_same_model),
    case("invalid_numbers_are_refused", settings::invalid_numbers_are_refused),
    cases("all_names_of_a_setting_give_the_same_model", settings::all_names_are_one_setting),
    case("log_probabilities_do_not_depend_on_the_batch", density::depends_on_the_example_alone),
    case("probabilities_sum_to_one", density::sums_to_one),
    case("column_terms_add_up_to_the_log_probability", density::terms_add_up),
    case("column_terms_belong_to_their_columns", density::terms_belong_to_their_columns),
    case("members_that_an_ensemble_lacks_are_refused", density::members_are_checked),
    case("batches_that_do_not_fit_are_refused", batches::batches_that_do_not_fit),
    case("networks_refuse_missing_entries", batches::missing_entries),
    case("samples_depend_on_their_number_alone", sampler::samples_depend_on_their_number_alone),
    case("temperatures_work_where_they_apply", sampler::temperatures),
    case("classes_are_drawn_where_there_are_some", sampler::classes),
    case("means_are_given_where_samples_have_noise", sampler::means),
    case("known_entries_are_completed_where_possible", sampler::completion),
    case("codes_lead_back_to_the_domain", latent::codes_lead_back),
    case("class_probabilities_depend_on_the_example_alone", classifier::class_probabilities),
    case("scores_depend_on_the_example_alone", discriminator::scores),
    case("clusters_depend_on_the_example_alone", clusterer::clusters),
    case("fits_report_progress_and_repeat", estimator::fits),
    case("a_step_changes_weights", trainable::a_step_changes_weights),
    case("gradients_agree_with_finite_differences", trainable::gradients_agree),
    case("a_resumed_run_equals_a_whole_one", trainable::a_resumed_run_equals_a_whole_one),
    case("threads_change_no_bit", trainable::threads_change_no_bit),
    case("saved_weights_give_the_same_outputs", weights::weights_load),
];

impl Check {
    /// Runs it over cases, or over their entries, and returns the number of comparisons: 0 if it applies to
    /// none of them.
    ///
    /// # Errors
    /// The first failure.
    pub fn run(&self, registry: &Registry, cases: &[Case]) -> Result<usize, Failure> {
        let mut tried = 0;
        if let Of::Case(check) = self.of {
            for case in cases {
                let found = Subject::new(registry, case).and_then(|subject| check(&subject));
                tried += found.map_err(|problem| self.failure(case.label(), problem))?;
            }
            return Ok(tried);
        }
        let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            tried += match self.of {
                Of::Entry(_) => self.run_entry(registry, name)?,
                Of::Case(_) => 0,
                Of::Cases(check) => {
                    let of = cases.iter().filter(|case| case.name == name);
                    let subjects: Result<Vec<_>, _> =
                        of.map(|case| Subject::new(registry, case)).collect();
                    let found = subjects.and_then(|subjects| check(&subjects));
                    found.map_err(|problem| self.failure(name, problem))?
                }
            };
        }
        Ok(tried)
    }

    /// Runs it over an entry, if it needs no case.
    fn run_entry(&self, registry: &Registry, name: &str) -> Result<usize, Failure> {
        let Of::Entry(check) = self.of else { return Ok(0) };
        let found = registry.find(name).map_err(Problem::from);
        found
            .and_then(|entry| check(registry, entry))
            .map_err(|problem| self.failure(name, problem))
    }

    fn failure(&self, of: impl Into<String>, problem: Problem) -> Failure {
        Failure { check: self.name, of: of.into(), problem: Box::new(problem) }
    }
}

/// Checks an entry without a case: tasks, defaults, settings and their schema, presets, size.
///
/// # Errors
/// The first failure.
pub fn check_entry(registry: &Registry, name: &str) -> Result<(), Failure> {
    CHECKS.iter().try_for_each(|check| check.run_entry(registry, name).map(drop))
}

/// Runs all checks that apply to a single case: the model with its settings on its data.
///
/// # Errors
/// The first failure.
pub fn check(registry: &Registry, case: &Case) -> Result<(), Failure> {
    let of_case = CHECKS.iter().filter(|check| matches!(check.of, Of::Case(_)));
    of_case
        .into_iter()
        .try_for_each(|check| check.run(registry, std::slice::from_ref(case)).map(drop))
}

/// Runs all checks: those of the entries, of each case, and of all cases of a model together (every declared
/// capability occurs, every declared kind of columns is accepted).
///
/// # Errors
/// The first failure.
pub fn check_all(registry: &Registry, cases: &[Case]) -> Result<(), Failure> {
    CHECKS.iter().try_for_each(|check| check.run(registry, cases).map(drop))
}

/// Checks a group of settings that belongs to no model: names, documentation, defaults, invalid values, and its
/// JSON schema. Returns the number of comparisons.
///
/// # Errors
/// The first failure.
pub fn check_settings(group: &str, fields: &[Field]) -> Result<usize, Failure> {
    type Of = fn(&str, &[Field]) -> Tried;
    let checks: [(&str, Of); 5] = [
        ("settings_are_declared_once_with_documentation", |_, f| settings::fields_are_declared(f)),
        ("defaults_and_presets_fit_the_schema", schema::defaults_fit),
        ("the_schema_agrees_with_what_is_read", schema::agrees_with_reading),
        ("whole_tables_are_taken_or_refused_by_both", schema::agrees_on_whole_tables),
        ("invalid_numbers_are_refused", |_, fields| {
            let base = toml::Table::new();
            settings::refuse_invalid_numbers(fields, &base, |table| normalize(fields, table).err())
        }),
    ];
    checks.into_iter().try_fold(0, |tried, (check, run)| {
        let found = run(group, fields);
        let failure = |problem| Failure { check, of: group.to_owned(), problem: Box::new(problem) };
        found.map(|more| tried + more).map_err(failure)
    })
}
