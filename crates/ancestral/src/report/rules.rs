//! Association rules as a graph and as a scatter plot.

use std::collections::HashMap;

use ancestral_plot::{Graph, Node, Plot};

use crate::rules::{Names, Rule};

/// The rules that a graph shows, so that it stays readable.
const IN_GRAPH: usize = 30;
/// The rules that a scatter plot shows.
const IN_SCATTER: usize = 20_000;
/// The smallest and the largest radius of a rule's circle, in pixels.
const RADII: (f64, f64) = (5.0, 16.0);
/// The most letters of an item's name.
const LETTERS: usize = 28;
/// Supports further apart than this are on a logarithmic axis.
const WIDE: f64 = 20.0;

/// The first rules as a graph: arrows lead from the items of an antecedent to the rule, a circle, and on to
/// the consequent. The area of a circle grows with the support, its color is the lift.
pub fn rules_graph(names: &Names, rules: &[Rule]) -> Graph {
    let shown = &rules[..rules.len().min(IN_GRAPH)];
    let what =
        format!("{}: the larger a circle, the higher the support", of(shown.len(), rules.len()));
    let mut graph = Graph::new(what, "lift");
    let supports = || shown.iter().map(Rule::support);
    let (low, high) = (supports().fold(f64::INFINITY, f64::min), supports().fold(0.0, f64::max));
    let mut items: HashMap<u32, usize> = HashMap::new();
    for rule in shown {
        let share = if high > low { (rule.support() - low) / (high - low) } else { 0.5 };
        let square = RADII.0.powi(2) + share * (RADII.1.powi(2) - RADII.0.powi(2));
        let circle = graph.add(Node::circle(square.sqrt(), rule.lift()));
        let mut node = |graph: &mut Graph, item: u32| {
            *items.entry(item).or_insert_with(|| graph.add(Node::named(short(names.name(item)))))
        };
        for &item in &rule.antecedent {
            let item = node(&mut graph, item);
            graph.join(item, circle);
        }
        for &item in &rule.consequent {
            let item = node(&mut graph, item);
            graph.join(circle, item);
        }
    }
    graph
}

/// The support and the confidence of rules, whose lift is the color.
pub fn rules_scatter(rules: &[Rule]) -> Plot {
    let shown = &rules[..rules.len().min(IN_SCATTER)];
    let supports = || shown.iter().map(Rule::support);
    let (low, high) = (supports().fold(f64::INFINITY, f64::min), supports().fold(0.0, f64::max));
    let points = shown.iter().map(|rule| (rule.support(), rule.confidence(), rule.lift()));
    let plot = Plot::new(of(shown.len(), rules.len()), "support", "confidence")
        .with_colored_points(points, "lift");
    if low > 0.0 && high / low > WIDE { plot.log_x() } else { plot }
}

/// "3 rules", or "the first 30 of 99 rules".
fn of(shown: usize, all: usize) -> String {
    match all {
        1 => "1 rule".to_owned(),
        _ if shown == all => format!("{all} rules"),
        _ => format!("the first {shown} of {all} rules"),
    }
}

/// A name that is not longer than a node may be: names often differ at their ends, so that what is left
/// out is in the middle.
fn short(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LETTERS {
        return name.to_owned();
    }
    let (first, last) = (LETTERS / 2, LETTERS - 1 - LETTERS / 2);
    letters[..first].iter().chain(&['…']).chain(&letters[letters.len() - last..]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(antecedent: &[u32], consequent: u32, counts: [u64; 4]) -> Rule {
        let [baskets, antecedent_count, consequent_count, count] = counts;
        Rule {
            antecedent: antecedent.to_vec(),
            consequent: vec![consequent],
            baskets,
            antecedent_count,
            consequent_count,
            count,
            p: 0.0,
            p_value: 0.0,
        }
    }

    #[test]
    fn rules_are_drawn_with_their_items() {
        let mut names = Names::new();
        let long = "a name that nobody would like to read in a graph";
        for name in ["milk", "bread", long] {
            names.number(name).unwrap();
        }
        let rules = [rule(&[0, 2], 1, [100, 20, 30, 10]), rule(&[1], 0, [100, 30, 40, 20])];
        let svg = rules_graph(&names, &rules).to_svg().unwrap();
        for word in ["2 rules: ", "milk", "bread", "a name that no…ad in a graph"] {
            assert!(svg.contains(word), "{word}");
        }
        assert!(!svg.contains(long));
        // Three arrows of the one and two of the other rule; each circle has a line around it.
        assert_eq!((svg.matches("<polygon").count(), svg.matches("<circle").count()), (5, 4));
        let svg = rules_scatter(&rules).to_svg().unwrap();
        assert!(svg.contains("confidence") && svg.contains("lift"));
        let many = vec![rules[0].clone(); 99];
        assert!(rules_graph(&names, &many).to_svg().unwrap().contains("the first 30 of 99 rules"));
    }
}
