//! `rules`: frequent sets and association rules of baskets.

use std::path::{Path, PathBuf};

use ancestral::Error;
use ancestral::report::{rules_graph, rules_scatter};
use ancestral::rules::{FoundRules, Names, Rule, Target};
use ancestral::run::{Find, RuleSettings, RulesReport, RulesSpec, Stop};
use anyhow::Result;
use serde_json::json;

use crate::args::{self, RulesArgs};
use crate::inputs;
use crate::json::number;
use crate::output::{self, Interrupted, digits, say, shown, usage};
use crate::progress::{self, ProgressReporter};

/// The number of rules that are printed.
const SHOWN: usize = 10;

pub(crate) fn run(args: &RulesArgs) -> Result<()> {
    let spec = spec(args)?;
    for (flag, path) in [("--out", Some(&spec.out)), ("--graph", args.graph.as_ref())]
        .into_iter()
        .chain([("--scatter", args.scatter.as_ref())])
    {
        let Some(path) = path else { continue };
        let endings: &[&str] = if flag == "--out" { &["csv", "jsonl"] } else { &["png", "svg"] };
        output::ending(flag, path, endings)?;
        output::check_target(flag, path, &[Some(&args.data)])?;
    }
    if args.graph.is_some() && args.graph == args.scatter {
        return Err(usage("--graph and --scatter are one file; give two"));
    }
    let mut watch = ProgressReporter::new(args.output).early();
    let talk = !args.output.quiet && !args.output.json;
    let stop = progress::stop_on_interrupt_saying(
        talk,
        "stopping, and writing what was found; press Ctrl-C again to quit without it",
    )?;
    let mut session = progress::session(None, &mut watch).with_stop_flag(stop);
    let report = match session.rules(&spec) {
        Ok(report) => report,
        Err(Error::Interrupted) => {
            if talk {
                output::print_error_line(
                    "interrupted before anything was found; nothing is written",
                );
            }
            return Err(Interrupted.into());
        }
        Err(error) => return Err(error.into()),
    };
    watch.finish();
    let rules = report.rules.as_ref().map_or(&[][..], |found| &found.rules);
    // Nothing is drawn of no rules.
    let (graph, scatter) = match rules.is_empty() {
        true => (None, None),
        false => (args.graph.as_deref(), args.scatter.as_deref()),
    };
    if let Some(path) = graph {
        rules_graph(&report.names, rules).save(path)?;
    }
    if let Some(path) = scatter {
        rules_scatter(rules).save(path)?;
    }
    print(args, &spec, &report, [graph, scatter])?;
    match report.stopped {
        None => Ok(()),
        Some(Stop::Interrupted) => {
            if talk {
                output::print_error_line("interrupted; what was found before is written");
            }
            Err(Interrupted.into())
        }
        Some(Stop::Memory(error)) => {
            if talk {
                output::print_error_line(
                    "the memory limit is reached; what was found before is written",
                );
            }
            Err(Error::from(error).into())
        }
    }
}

fn spec(args: &RulesArgs) -> Result<RulesSpec> {
    let target = match (args.closed, args.maximal) {
        (true, _) => Target::Closed,
        (_, true) => Target::Maximal,
        _ => Target::All,
    };
    let find = match args.sets {
        true => Find::Sets(target),
        false => Find::Rules(RuleSettings {
            min_confidence: args.min_confidence.unwrap_or(0.8),
            max_consequent: args.max_rhs,
            rhs: args.rhs.clone(),
            productive: args.productive,
            sort: args.sort.map(args::SortBy::into_library).unwrap_or_default(),
            holdout: args.holdout,
            seed: args.seed,
        }),
    };
    let usual = if args.sets { "sets.csv" } else { "rules.csv" };
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(usual));
    let support = match &args.min_support {
        Some(text) => Some(text.parse().map_err(Error::Rules)?),
        None if args.sets && args.top.is_some() => None,
        None => {
            let or = if args.sets { ", or --top for the most frequent sets" } else { "" };
            return Err(usage(format!(
                "give --min-support, a share of the baskets below 1, as 0.01, or a whole number of \
                 baskets{or}"
            )));
        }
    };
    Ok(RulesSpec {
        layout: args.format.as_deref().map(inputs::layout).transpose()?,
        support,
        max_len: args.max_len,
        top: args.top,
        contains: args.contains.clone(),
        max_memory: args.max_memory.as_deref().map(inputs::memory).transpose()?,
        ..RulesSpec::new(&args.data, out, find)
    })
}

fn print(
    args: &RulesArgs,
    spec: &RulesSpec,
    report: &RulesReport,
    plots: [Option<&Path>; 2],
) -> Result<()> {
    if args.output.json {
        return print_json(args, spec, report, plots);
    }
    if !args.output.quiet {
        match (&report.rules, &spec.find) {
            (Some(found), Find::Rules(settings)) => {
                print_rules(settings, report, found, &spec.out)?;
                if found.rules.is_empty() && (args.graph.is_some() || args.scatter.is_some()) {
                    say!("nothing is drawn, since there are no rules")?;
                }
            }
            (_, Find::Sets(target)) => print_sets(*target, spec, report)?,
            _ => {}
        }
    }
    output::wrote(args.output, &spec.out)?;
    plots.into_iter().flatten().try_for_each(|path| output::wrote(args.output, path))
}

fn print_json(
    args: &RulesArgs,
    spec: &RulesSpec,
    report: &RulesReport,
    [graph, scatter]: [Option<&Path>; 2],
) -> Result<()> {
    let format = report.read.format;
    let mut all = json!({
        "data": shown(&args.data), "format": format.layout.as_str(),
        "separator": format.separator.as_str(), "gzip": report.read.gzip,
        "blank_lines": report.read.blank_lines, "baskets": report.baskets, "items": report.items,
        "min_count": report.least, "parts": report.parts, "complete": report.stopped.is_none(),
        "out": shown(&spec.out),
    });
    match &report.rules {
        Some(found) => {
            all["rules"] = report.found().into();
            all["frequent_rules"] = found.frequent.into();
            all["tests"] = number(found.tests);
            all["significant"] = significant(&found.rules).into();
            all["graph"] = graph.map(shown).into();
            all["scatter"] = scatter.map(shown).into();
        }
        None => {
            all["sets"] = report.found().into();
            all["by_size"] = report.by_size.clone().into();
        }
    }
    output::json(&all)
}

/// "in at least 99 of 9835 baskets"
fn reach(report: &RulesReport) -> String {
    format!("in at least {} of {} baskets", report.least, report.searched)
}

fn counted(n: u64, thing: &str) -> String {
    output::count(usize::try_from(n).unwrap_or(usize::MAX), thing)
}

fn print_sets(target: Target, spec: &RulesSpec, report: &RulesReport) -> Result<()> {
    let (kind, n) = match target {
        Target::All => ("frequent set", report.found()),
        Target::Closed => ("closed set", report.found()),
        Target::Maximal => ("maximal set", report.found()),
    };
    if n == 0 {
        return say!("no set is {}; lower --min-support", reach(report));
    }
    let sizes = report.by_size.iter().enumerate().filter(|(_, n)| **n > 0).map(|(at, n)| {
        let items = if at == 0 { " item" } else { "" };
        format!("{n} of {}{items}", at + 1)
    });
    let sizes: Vec<String> = sizes.collect();
    let reach = match spec.support {
        Some(_) => format!(" {}", reach(report)),
        None => format!(" of {} baskets", report.baskets),
    };
    say!("{}{reach}: {}", counted(n, kind), sizes.join(", "))
}

fn significant(rules: &[Rule]) -> usize {
    rules.iter().filter(|rule| rule.p_value < 0.05).count()
}

fn print_rules(
    settings: &RuleSettings,
    report: &RulesReport,
    found: &FoundRules,
    out: &Path,
) -> Result<()> {
    let n = found.rules.len();
    if n == 0 {
        let lower = match found.frequent {
            0 => "lower --min-support".to_owned(),
            _ => format!(
                "lower --min-confidence ({}) or drop other filters",
                settings.min_confidence
            ),
        };
        return say!("no rules, of {} {}; {lower}", found.frequent, reach(report));
    }
    say!("{}, of {} {}", output::count(n, "rule"), found.frequent, reach(report))?;
    say!("{:>8} {:>10} {:>8} {:>8}  rule", "support", "confidence", "lift", "p-value")?;
    for rule in found.rules.iter().take(SHOWN) {
        say!(
            "{:>8} {:>10} {:>8} {:>8}  {} → {}",
            digits(rule.support(), 3),
            digits(rule.confidence(), 3),
            digits(rule.lift(), 3),
            if rule.p_value.is_nan() { "-".to_owned() } else { digits(rule.p_value, 2) },
            joined(&rule.antecedent, &report.names),
            joined(&rule.consequent, &report.names),
        )?;
    }
    if n > SHOWN {
        say!("… and {} more in {}", n - SHOWN, out.display())?;
    }
    if found.tests.is_nan() {
        return say!(
            "p-values are missing: how many rules are possible is not known before the end"
        );
    }
    let tested = match settings.holdout {
        Some(_) => "on held-out baskets, corrected for the rules above",
        None => "corrected for all possible rules",
    };
    say!(
        "p-values are {tested} ({:.0} tests, Holm): {} below 0.05",
        found.tests,
        significant(&found.rules)
    )
}

fn joined(items: &[u32], names: &Names) -> String {
    let names = items.iter().map(|&item| match names.name(item) {
        name if name.contains([',', '→', '"']) => format!("{name:?}"),
        name => name.to_owned(),
    });
    names.collect::<Vec<_>>().join(", ")
}
