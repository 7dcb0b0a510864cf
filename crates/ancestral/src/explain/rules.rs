//! Association rules: support, confidence and lift as areas; a rule that holds in no part of the baskets;
//! and how many rules chance alone gives, with and without correction for many tests.

use ancestral_data::Streams;
use ancestral_plot::{Image, Plot, Series};
use serde_json::{Value, json};

use super::spec::{ExplainSpec, Explanation};
use super::work::stoppable;
use crate::Result;
use crate::rules::{
    Baskets, MineOptions, Rule, RuleOptions, Support, fisher, rules, rules_holdout,
};
use crate::run::Session;

/// Rules A → C of the same confidence among 1000 baskets: with A, with C, with both.
const SAME: [[u64; 3]; 3] = [[300, 400, 240], [300, 800, 240], [300, 900, 240]];
/// Baskets of weekdays and of weekends: all, with coffee, with cake, with both.
const WEEK: [(&str, [u64; 4]); 2] =
    [("weekdays", [8000, 800, 800, 64]), ("weekends", [2000, 1200, 1200, 576])];

/// Data sets of chance, their baskets and items.
const SETS: u64 = 100;
const BASKETS: usize = 1000;
const ITEMS: usize = 60;
/// Pairs of items that depend on each other in one more data set, and the chance that the second item of
/// a pair follows the first.
const PAIRS: usize = 10;
const FOLLOWS: f32 = 0.7;
/// The minimum support.
const LEAST: u64 = 10;
/// The level of the tests.
const LEVEL: f64 = 0.05;
/// A lift that one might take for a finding.
const HIGH_LIFT: f64 = 1.5;

/// A rule by its counts.
fn of_counts([baskets, antecedent_count, consequent_count, count]: [u64; 4]) -> Rule {
    Rule {
        antecedent: vec![0],
        consequent: vec![1],
        baskets,
        antecedent_count,
        consequent_count,
        count,
        p: fisher(baskets, antecedent_count, consequent_count, count),
        p_value: 1.0,
    }
}

/// The baskets with and without A, as columns, and the shares of them that hold C.
fn mosaic(title: &str, names: [&str; 2], rule: &Rule) -> Plot {
    let [a, c] = names;
    let all = rule.baskets as f64;
    let width = rule.antecedent_count as f64 / all;
    let others = (rule.consequent_count - rule.count) as f64
        / (rule.baskets - rule.antecedent_count).max(1) as f64;
    let consequent = rule.consequent_count as f64 / all;
    let column = |from: f64, to: f64, height: f64| [(from, height), (to, height)];
    let text = format!("{title}, lift {:.2}", rule.lift());
    Plot::new(text, format!("share of baskets: with {a}, then without"), format!("share with {c}"))
        .with(Series::area("", column(0.0, width, rule.confidence())).group(0))
        .with(Series::area("", column(width, 1.0, others)).group(9))
        .vertical_marker(width, format!("P({a}) = {width:.2}"))
        .horizontal_marker(consequent, format!("P({c}) = {consequent:.2}"))
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.0)
        .size(400, 400)
}

/// A data set of independent items of descending frequency; of `pairs` pairs the second item follows the
/// first.
fn draw(seed: u64, number: u64, pairs: usize) -> Result<Baskets> {
    let streams = Streams::new(seed).purpose("explain baskets", number);
    let indices: Vec<u64> = (0..BASKETS as u64).collect();
    let uniforms = streams.uniforms(&indices, 2 * ITEMS);
    let frequency = |item: usize| 0.25 / (1.0 + 0.1 * item as f32);
    let mut baskets = Vec::with_capacity(BASKETS);
    for row in uniforms.chunks_exact(2 * ITEMS) {
        let mut holds: Vec<bool> = (0..ITEMS).map(|item| row[item] < frequency(item)).collect();
        for pair in 0..pairs {
            let (first, second) = (ITEMS / 4 + 2 * pair, ITEMS / 4 + 2 * pair + 1);
            holds[second] |= holds[first] && row[ITEMS + pair] < FOLLOWS;
        }
        baskets.push((0..ITEMS as u32).filter(|&i| holds[i as usize]).collect::<Vec<_>>());
    }
    Ok(Baskets::from_sets(baskets)?)
}

/// What the rules of one data set are.
struct Counted {
    /// Uncorrected p-values, ascending.
    p: Vec<f64>,
    tests: f64,
    high_lift: usize,
    corrected: usize,
    held_out: usize,
}

fn counted(baskets: &Baskets) -> Result<Counted> {
    let mut options = RuleOptions::new(MineOptions::new(Support::Count(LEAST)));
    options.min_confidence = 0.0;
    let found = rules(baskets, None, &options)?;
    let mut p: Vec<f64> = found.rules.iter().map(|rule| rule.p).collect();
    p.sort_by(f64::total_cmp);
    let significant = |rules: &[Rule]| rules.iter().filter(|r| r.p_value < LEVEL).count();
    // Half of the baskets, of half of the support, with the rules whose lift is high.
    let budget = &options.mine.budget;
    let (first, second) = baskets.split(budget, |number| number % 2 == 0)?;
    options.mine.support = Support::Count(LEAST / 2);
    let tested = rules_holdout(&first, &second, None, &options)?;
    Ok(Counted {
        high_lift: found.rules.iter().filter(|rule| rule.lift() > HIGH_LIFT).count(),
        corrected: significant(&found.rules),
        held_out: significant(&tested.rules),
        tests: found.tests,
        p,
    })
}

/// The mean number of p-values up to each level, from 10⁻¹⁰ to 1.
fn below(sets: &[&Counted]) -> Vec<(f64, f64)> {
    let steps = (0..=100).map(|step| 10_f64.powf(-10.0 + f64::from(step) / 10.0));
    let count = |level: f64| {
        let of = |set: &&Counted| set.p.partition_point(|&p| p <= level) as f64;
        sets.iter().map(of).sum::<f64>() / sets.len().max(1) as f64
    };
    // A logarithmic axis has no 0.
    steps.map(|level| (level, count(level))).filter(|point| point.1 > 0.0).collect()
}

/// Draws areas, the reversal, and the numbers of rules by chance.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let (chance, real) = stoppable(session, "finding rules in random data", |progress| {
        let mut chance = Vec::new();
        for number in 0..SETS {
            chance.push(counted(&draw(spec.seed(), number, 0)?)?);
            progress((number + 1) as f64 / (SETS + 1) as f64)?;
        }
        Ok((chance, counted(&draw(spec.seed(), SETS, PAIRS)?)?))
    })?;

    let same: Vec<Rule> = SAME.iter().map(|&[a, c, both]| of_counts([1000, a, c, both])).collect();
    let panels = |rules: Vec<(String, [&str; 2], &Rule)>| -> Result<Image> {
        let mut images = Vec::new();
        for (title, names, rule) in rules {
            images.push(("", mosaic(&title, names, rule).to_image()?));
        }
        Ok(Image::hstack(&images))
    };
    let title = |rule: &Rule| format!("confidence {:.2}", rule.confidence());
    panels(same.iter().map(|rule| (title(rule), ["A", "C"], rule)).collect())?
        .save_png(spec.out.join("areas.png"))?;

    let week: Vec<(&str, Rule)> =
        WEEK.into_iter().map(|(name, counts)| (name, of_counts(counts))).collect();
    let mut sum = [0; 4];
    for (_, counts) in WEEK {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let all = of_counts(sum);
    let days = week.iter().map(|(name, rule)| (*name, rule)).chain([("all days", &all)]);
    panels(days.map(|(name, rule)| (name.to_owned(), ["coffee", "cake"], rule)).collect())?
        .save_png(spec.out.join("reversal.png"))?;

    let sets: Vec<&Counted> = chance.iter().collect();
    let mean = |of: &dyn Fn(&Counted) -> f64| chance.iter().map(of).sum::<f64>() / SETS as f64;
    let tests = mean(&|set| set.tests);
    Plot::new(
        format!("rules in {BASKETS} baskets of {ITEMS} items"),
        "uncorrected p-value",
        "rules up to this p-value",
    )
    .with(Series::line("independent (mean)", below(&sets)))
    .with(Series::line(format!("{PAIRS} dependent pairs"), below(&[&real])))
    .vertical_marker(LEVEL, "0.05")
    .vertical_marker(LEVEL / tests, format!("0.05 / {tests:.0} tests"))
    .log_x()
    .log_y()
    .save(spec.out.join("chance.png"))?;

    let found = Chance {
        rules: mean(&|set| set.p.len() as f64),
        tests,
        high_lift: mean(&|set| set.high_lift as f64),
        uncorrected: mean(&|set| uncorrected(set) as f64),
        corrected: mean(&|set| set.corrected as f64),
        sets_with_rules: chance.iter().filter(|set| set.corrected > 0).count(),
        held_out: mean(&|set| set.held_out as f64),
    };
    let measures = |rule: &Rule| {
        json!({
            "support": rule.support(), "confidence": rule.confidence(), "lift": rule.lift(),
            "leverage": rule.leverage(), "p": rule.p,
        })
    };
    let metrics = json!({
        "areas": same.iter().map(measures).collect::<Vec<Value>>(),
        "reversal": { "parts": week.iter().map(|(_, rule)| measures(rule)).collect::<Vec<_>>(),
            "all": measures(&all) },
        "chance": {
            "data_sets": SETS, "rules": found.rules, "tests": found.tests,
            "high_lift": found.high_lift, "uncorrected": found.uncorrected,
            "corrected": found.corrected, "data_sets_with_corrected": found.sets_with_rules,
            "held_out": found.held_out,
        },
        "real": {
            "pairs": PAIRS, "rules": real.p.len(), "high_lift": real.high_lift,
            "uncorrected": uncorrected(&real), "corrected": real.corrected,
            "held_out": real.held_out,
        },
    });
    let lines = lines(&same, &week, &all, &found, &real);
    Ok(spec.found(lines, metrics, &["areas.png", "reversal.png", "chance.png"]))
}

/// Means over the data sets of independent items.
struct Chance {
    rules: f64,
    tests: f64,
    high_lift: f64,
    uncorrected: f64,
    corrected: f64,
    sets_with_rules: usize,
    held_out: f64,
}

fn uncorrected(set: &Counted) -> usize {
    set.p.partition_point(|&p| p < LEVEL)
}

fn lines(
    same: &[Rule],
    week: &[(&str, Rule)],
    all: &Rule,
    chance: &Chance,
    real: &Counted,
) -> Vec<String> {
    let mut lines = vec![
        "Support is the area of the baskets with A and C, confidence its height in the column of A, lift \
         that height relative to the line P(C), and leverage the area between the two (areas.png):"
            .to_owned(),
    ];
    for rule in same {
        lines.push(format!(
            "support {:.2}, confidence {:.2}, P(C) {:.2}: lift {:.2}, leverage {:+.3}",
            rule.support(),
            rule.confidence(),
            rule.consequent_count as f64 / rule.baskets as f64,
            rule.lift(),
            rule.leverage()
        ));
    }
    lines.push(
        "So a confidence of 0.80 alone says nothing: A may raise C, leave it or lower it."
            .to_owned(),
    );
    let parts: Vec<String> =
        week.iter().map(|(name, rule)| format!("{:.2} on {name}", rule.lift())).collect();
    lines.push(format!(
        "A rule may hold in no part of the baskets (Simpson's paradox, reversal.png): the lift of coffee → \
         cake is {}, and {:.2} on all days together, p = {:.0e}: on weekends both are bought more often.",
        parts.join(", "),
        all.lift(),
        all.p
    ));
    lines.push(format!(
        "Rules of {BASKETS} baskets of {ITEMS} items with a support of at least {LEAST} baskets \
         (chance.png):"
    ));
    lines.push(format!(
        "{:<44} {:>20} {:>20}",
        "",
        "independent (mean)",
        format!("{PAIRS} dependent pairs")
    ));
    for (what, chance, real) in [
        ("rules", chance.rules, real.p.len()),
        ("with a lift above 1.5", chance.high_lift, real.high_lift),
        ("with p < 0.05, uncorrected", chance.uncorrected, uncorrected(real)),
        ("with p < 0.05, corrected (Holm)", chance.corrected, real.corrected),
        ("found on one half, p < 0.05 on the other", chance.held_out, real.held_out),
    ] {
        lines.push(format!("{what:<44} {chance:>20.2} {real:>20}"));
    }
    lines.push(format!(
        "The correction is for {:.0} possible rules; {} of {SETS} data sets of independent items have a rule \
         after it.",
        chance.tests, chance.sets_with_rules
    ));
    lines
}
