//! Positions of a graph's nodes: forces (Fruchterman and Reingold 1991, doi:10.1002/spe.4380211102), then
//! boxes are moved apart until none overlaps, as far as there is room.

/// Rounds of forces, and of moving boxes apart.
const ROUNDS: usize = 600;
const APART: usize = 400;
/// The gap between boxes, in pixels.
const GAP: f64 = 7.0;

/// Positions of the centers of boxes with these half sizes within `width` × `height`, near each other where
/// an edge joins them. The same input gives the same positions.
pub(super) fn positions(
    halves: &[(f64, f64)],
    edges: &[(usize, usize)],
    width: f64,
    height: f64,
) -> Vec<(f64, f64)> {
    let n = halves.len();
    // A spiral of equal areas.
    let golden = std::f64::consts::PI * (3.0 - 5_f64.sqrt());
    let mut at: Vec<(f64, f64)> = (0..n)
        .map(|i| {
            let radius = 0.45 * ((i as f64 + 0.5) / n.max(1) as f64).sqrt();
            let angle = golden * i as f64;
            (width * (0.5 + radius * angle.cos()), height * (0.5 + radius * angle.sin()))
        })
        .collect();
    let ideal = 0.75 * (width * height / n.max(1) as f64).sqrt();
    let mut forces = vec![(0.0, 0.0); n];
    for round in 0..ROUNDS {
        let cooled = 1.0 - round as f64 / ROUNDS as f64;
        let most = 0.1 * width * cooled * cooled + 0.5;
        for (i, force) in forces.iter_mut().enumerate() {
            // A pull to the middle keeps parts that no edge joins together.
            let (dx, dy) = (width / 2.0 - at[i].0, height / 2.0 - at[i].1);
            *force = (0.06 * dx * height / width, 0.06 * dy * width / height);
            for j in (0..n).filter(|&j| j != i) {
                let (dx, dy) = (at[i].0 - at[j].0, at[i].1 - at[j].1);
                let square = (dx * dx + dy * dy).max(1.0);
                force.0 += dx * ideal * ideal / square;
                force.1 += dy * ideal * ideal / square;
            }
        }
        for &(i, j) in edges {
            let (dx, dy) = (at[j].0 - at[i].0, at[j].1 - at[i].1);
            let pull = (dx * dx + dy * dy).sqrt() / ideal;
            for (node, sign) in [(i, 1.0), (j, -1.0)] {
                forces[node].0 += sign * dx * pull;
                forces[node].1 += sign * dy * pull;
            }
        }
        for (place, force) in at.iter_mut().zip(&forces) {
            let length = force.0.hypot(force.1).max(1e-9);
            let step = (0.05 * length).min(most) / length;
            *place = (place.0 + force.0 * step, place.1 + force.1 * step);
        }
    }
    fill(&mut at, halves, width, height);
    for _ in 0..APART {
        let moved = move_apart(&mut at, halves);
        for (place, half) in at.iter_mut().zip(halves) {
            place.0 = within(place.0, half.0, width);
            place.1 = within(place.1, half.1, height);
        }
        if !moved {
            break;
        }
    }
    at
}

/// A position whose box is inside, or in the middle if there is no room.
fn within(place: f64, half: f64, size: f64) -> f64 {
    if 2.0 * half >= size { size / 2.0 } else { place.clamp(half, size - half) }
}

/// Scales positions so that their boxes fill the rectangle.
fn fill(at: &mut [(f64, f64)], halves: &[(f64, f64)], width: f64, height: f64) {
    let fit = |values: Vec<f64>, halves: Vec<f64>, size: f64| -> Vec<f64> {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let room = halves.iter().copied().fold(0.0, f64::max).min(size / 4.0);
        let span = high - low;
        let to = |v: f64| match span > 1e-6 {
            true => room + (v - low) / span * (size - 2.0 * room),
            false => size / 2.0,
        };
        values.into_iter().map(to).collect()
    };
    let xs = fit(at.iter().map(|p| p.0).collect(), halves.iter().map(|h| h.0).collect(), width);
    let ys = fit(at.iter().map(|p| p.1).collect(), halves.iter().map(|h| h.1).collect(), height);
    at.iter_mut().zip(xs.into_iter().zip(ys)).for_each(|(place, fitted)| *place = fitted);
}

/// Moves overlapping boxes half of their overlap apart; whether there were any.
fn move_apart(at: &mut [(f64, f64)], halves: &[(f64, f64)]) -> bool {
    let mut moved = false;
    for i in 0..at.len() {
        for j in i + 1..at.len() {
            let (dx, dy) = (at[j].0 - at[i].0, at[j].1 - at[i].1);
            let over_x = halves[i].0 + halves[j].0 + GAP - dx.abs();
            let over_y = halves[i].1 + halves[j].1 + GAP - dy.abs();
            if over_x <= 0.0 || over_y <= 0.0 {
                continue;
            }
            moved = true;
            // Nodes in one place part by their order.
            let sign = |d: f64| if d < 0.0 { -1.0 } else { 1.0 };
            if over_x < over_y {
                let step = sign(dx) * (over_x / 2.0 + 0.1);
                at[i].0 -= step;
                at[j].0 += step;
            } else {
                let step = sign(dy) * (over_y / 2.0 + 0.1);
                at[i].1 -= step;
                at[j].1 += step;
            }
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_inside_and_apart_and_neighbors_are_near() {
        // Two stars without an edge between them.
        let edges: Vec<(usize, usize)> =
            (1..8).map(|i| (0, i)).chain((9..16).map(|i| (8, i))).collect();
        let halves: Vec<(f64, f64)> = (0..16).map(|i| (10.0 + 2.0 * f64::from(i), 9.0)).collect();
        let at = positions(&halves, &edges, 700.0, 400.0);
        for (i, (place, half)) in at.iter().zip(&halves).enumerate() {
            assert!(place.0 >= half.0 - 1e-9 && place.0 <= 700.0 - half.0 + 1e-9, "{i} {place:?}");
            assert!(place.1 >= half.1 - 1e-9 && place.1 <= 400.0 - half.1 + 1e-9, "{i} {place:?}");
        }
        assert!(!move_apart(&mut at.clone(), &halves));
        let far = |i: usize, j: usize| (at[i].0 - at[j].0).hypot(at[i].1 - at[j].1);
        let own: f64 = edges.iter().map(|&(i, j)| far(i, j)).sum::<f64>() / edges.len() as f64;
        let other: f64 = (1..8).map(|i| far(8, i)).sum::<f64>() / 7.0;
        assert!(own < 0.7 * other, "{own} {other}");
        assert_eq!(at, positions(&halves, &edges, 700.0, 400.0));
    }

    #[test]
    fn odd_graphs_are_no_panic() {
        assert_eq!(positions(&[], &[], 100.0, 100.0), []);
        assert_eq!(positions(&[(500.0, 5.0)], &[(0, 0)], 100.0, 100.0), [(50.0, 50.0)]);
        let crowded = positions(&vec![(30.0, 30.0); 40], &[], 100.0, 100.0);
        assert!(crowded.iter().all(|p| p.0.is_finite() && p.1.is_finite()));
    }
}
