//! Clusters: rows in the plane, numbers of clusters compared, distances to neighbors, the condensed tree,
//! maps of a self-organizing map, examples nearest to each center.

use ancestral_plot::{Image, Plot, Series, color_bar, heat_between};

use super::samples::grid;
use crate::clustering::CondensedTree;

/// Colors of clusters before they repeat, and the group of noise, which is gray.
const COLORS: usize = 12;
const NOISE: usize = 9;
/// The most clusters that a legend names: each has a color of its own.
const NAMED: usize = COLORS;
/// The fewest pixels that a chosen cluster of a condensed tree is high.
const SEEN: usize = 3;
/// The most points that are drawn.
const MOST_POINTS: usize = 20_000;
/// The side of a map of units in pixels, and of a small one.
const MAP: usize = 420;
const SMALL_MAP: usize = 200;
/// The most component planes.
const PLANES: usize = 12;
/// The size of a condensed tree in pixels.
const TREE: (usize, usize) = (1000, 460);

/// Rows in the plane by cluster; noise is gray. More than 20,000 rows are thinned out evenly.
pub fn cluster_scatter(
    title: &str,
    [x_label, y_label]: [&str; 2],
    points: &[(f64, f64)],
    labels: &[Option<u32>],
    clusters: usize,
) -> Plot {
    let step = points.len().div_ceil(MOST_POINTS).max(1);
    let shown = || points.iter().zip(labels).step_by(step);
    let mut plot = Plot::new(title, x_label, y_label).size(760, 560);
    let of = |wanted: Option<u32>| {
        shown().filter(move |(_, label)| **label == wanted).map(|(point, _)| *point)
    };
    let mut noise = of(None).peekable();
    if noise.peek().is_some() {
        plot = plot.with(Series::points("noise", noise).group(NOISE));
    }
    if clusters > NAMED {
        // Few series, each of the clusters of one color.
        for color in 0..COLORS {
            let own = shown()
                .filter(|(_, label)| label.is_some_and(|l| l as usize % COLORS == color))
                .map(|(point, _)| *point);
            plot = plot.with(Series::points("", own).group(group(color)));
        }
        return plot;
    }
    for cluster in 0..clusters as u32 {
        let series = Series::points(cluster.to_string(), of(Some(cluster)));
        plot = plot.with(series.group(group(cluster as usize)));
    }
    plot
}

/// A curve over numbers of clusters: its title, the label of its values, and its points.
pub type ClusterCurve<'a> = (&'a str, &'a str, Vec<(f64, f64)>);

/// Curves over numbers of clusters side by side; the chosen number is marked.
///
/// # Errors
/// If the drawing fails.
pub fn compared_clusters(curves: &[ClusterCurve<'_>], chosen: usize) -> crate::Result<Image> {
    let mut images = Vec::new();
    for (title, label, points) in curves {
        let image = Plot::new(*title, "clusters", *label)
            .with(Series::line("", points.clone()).group(0))
            .with(Series::points("", points.clone()).group(0))
            .vertical_marker(chosen as f64, chosen.to_string())
            .size(520, 400)
            .to_image()?;
        images.push(("", image));
    }
    Ok(Image::hstack(&images))
}

/// The distances of rows to their k-th nearest row, with the bend of the curve.
pub fn neighbor_distances(title: &str, distances: &[f64], min_samples: usize, bend: f64) -> Plot {
    let step = distances.len().div_ceil(MOST_POINTS).max(1);
    let last = distances.len().saturating_sub(1);
    let shown = (0..distances.len()).step_by(step).chain([last]);
    let points = shown.filter_map(|row| Some((row as f64, *distances.get(row)?)));
    let label = format!("distance to neighbor {min_samples}, the row itself included");
    Plot::new(title, "rows in order of the distance", label)
        .with(Series::line("", points))
        .horizontal_marker(bend, format!("bend at {bend:.3}"))
}

/// The condensed tree of HDBSCAN: each cluster as wide as it has rows, from its birth on, upwards with
/// λ = 1 / distance; chosen clusters are in color and named by their label.
///
/// # Errors
/// If the drawing fails.
pub fn condensed_tree(tree: &CondensedTree, selected: &[u32]) -> crate::Result<Image> {
    let clusters = &tree.clusters;
    let rows = clusters.first().map_or(0, |root| root.size).max(1);
    let finite = |values: &mut dyn Iterator<Item = f64>| {
        values.filter(|v| v.is_finite()).fold(0.0, f64::max)
    };
    let births = finite(&mut clusters.iter().map(|c| c.birth));
    let deaths = finite(&mut tree.lambda.iter().copied());
    // Few rows that stay very long would press all else to the ground.
    let mut ends: Vec<f64> = tree.lambda.iter().copied().filter(|l| l.is_finite()).collect();
    ends.sort_by(f64::total_cmp);
    let usual = ends.get(ends.len().saturating_sub(1 + ends.len() / 100)).copied().unwrap_or(1.0);
    let top = (1.15 * usual.max(births)).min(deaths.max(births)).max(f64::MIN_POSITIVE);
    // From left to right, children side by side under their parents.
    let mut left = vec![0.0; clusters.len()];
    for (at, cluster) in clusters.iter().enumerate() {
        let total: usize = cluster.children.iter().map(|&c| clusters[c as usize].size).sum();
        let mut next = left[at] + (cluster.size.saturating_sub(total)) as f64 / 2.0;
        for &child in &cluster.children {
            left[child as usize] = next;
            next += clusters[child as usize].size as f64;
        }
    }
    // λ at which each row leaves each cluster, its smallest one and those above.
    let mut leaves: Vec<Vec<f64>> = vec![Vec::new(); clusters.len()];
    for (&cluster, &lambda) in tree.cluster.iter().zip(&tree.lambda) {
        leaves[cluster as usize].push(lambda);
    }
    for (at, cluster) in clusters.iter().enumerate() {
        for &child in &cluster.children {
            let part = &clusters[child as usize];
            leaves[at].extend(std::iter::repeat_n(part.birth, part.size));
        }
    }
    leaves.iter_mut().for_each(|all| all.sort_by(f64::total_cmp));
    let (width, height) = TREE;
    let mut image = Image::filled(width, height, [255; 3]);
    for (at, cluster) in clusters.iter().enumerate() {
        let label = selected.iter().position(|&chosen| chosen as usize == at);
        let color = match label {
            Some(label) => palette(label),
            None => [0xBB; 3],
        };
        let from = if at == 0 { 0.0 } else { cluster.birth };
        // The shortest-lived chosen cluster is seen, too.
        let least = if label.is_some() { from + (SEEN as f64 / height as f64) * top } else { from };
        for y in 0..height {
            let lambda = (1.0 - (y as f64 + 0.5) / height as f64) * top;
            if lambda < from || lambda > cluster.death.max(least) {
                continue;
            }
            let until = lambda.min(cluster.death);
            let gone = leaves[at].partition_point(|&leave| leave < until);
            let left_over = (leaves[at].len() - gone) as f64;
            let middle = left[at] + cluster.size as f64 / 2.0;
            let scale = width as f64 / rows as f64;
            let x = ((middle - left_over / 2.0) * scale).max(0.0);
            let w = (left_over * scale).max(1.0);
            if left_over > 0.0 {
                image.fill(x as usize, y, w.ceil() as usize, 1, color);
            }
        }
    }
    let mut plot = Plot::new(
        "condensed tree: clusters as wide as they have rows, chosen ones in color",
        "rows",
        "λ = 1 / distance",
    )
    .background(image, (0.0, rows as f64), (0.0, top))
    .x_range(0.0, rows as f64)
    .y_range(0.0, top)
    .size(1000, 560);
    for color in 0..selected.len().min(NAMED) {
        // A name in the legend.
        plot = plot
            .with(Series::points(color.to_string(), [(f64::NAN, f64::NAN)]).group(group(color)));
    }
    Ok(plot.to_image()?)
}

/// The group of a cluster in plots: all but that of noise, then again.
fn group(cluster: usize) -> usize {
    let color = cluster % COLORS;
    color + usize::from(color >= NOISE)
}

/// The color of a cluster, that of its series in plots.
fn palette(cluster: usize) -> [u8; 3] {
    const ALL: [[u8; 3]; COLORS] = [
        [0x00, 0x72, 0xB2],
        [0xD5, 0x5E, 0x00],
        [0x00, 0x9E, 0x73],
        [0xCC, 0x79, 0xA7],
        [0xE6, 0x9F, 0x00],
        [0x56, 0xB4, 0xE9],
        [0x33, 0x33, 0x33],
        [0x88, 0x22, 0x55],
        [0x99, 0x99, 0x33],
        [0x6A, 0x3D, 0x9A],
        [0x8C, 0x51, 0x0A],
        [0xB2, 0xDF, 0x8A],
    ];
    ALL[cluster % COLORS]
}

/// A map of units: each a cell around its place, in the color of its value, with the scale.
pub fn unit_map(title: &str, places: &[(f64, f64)], values: &[f64]) -> Image {
    let (map, low, high) = cells(places, values, MAP);
    let bar = color_bar(low, high, map.height());
    Image::hstack(&[(title, map.with_margin(10)), ("", bar)]).with_margin(8)
}

/// Maps of units by column of the data, each with colors of its own, at most twelve.
pub fn component_planes(names: &[String], places: &[(f64, f64)], weights: &[f64]) -> Image {
    let columns = names.len().max(1);
    let shown = columns.min(PLANES);
    let mut parts = Vec::new();
    for (column, name) in names.iter().enumerate().take(shown) {
        let values: Vec<f64> = weights.iter().skip(column).step_by(columns).copied().collect();
        let (map, low, high) = cells(places, &values, SMALL_MAP);
        let bar = color_bar(low, high, map.height());
        parts.push((name.clone(), Image::hstack(&[("", map.with_margin(10)), ("", bar)])));
    }
    let rows: Vec<Image> = parts
        .chunks(4)
        .map(|row| {
            let row: Vec<(&str, Image)> =
                row.iter().map(|(name, image)| (name.as_str(), image.clone())).collect();
            Image::hstack(&row)
        })
        .collect();
    let rows: Vec<(&str, Image)> = rows
        .into_iter()
        .enumerate()
        .map(|(at, row)| match (at, shown < columns) {
            (0, true) => ("component planes of the first columns", row),
            (0, false) => ("component planes", row),
            _ => ("", row),
        })
        .collect();
    Image::vstack(&rows).with_margin(8)
}

/// Cells around places, with the smallest and the largest value: squares of a square lattice, hexagons of
/// a hexagonal one.
fn cells(places: &[(f64, f64)], values: &[f64], side: usize) -> (Image, f64, f64) {
    let most = |of: &dyn Fn(&(f64, f64)) -> f64| places.iter().map(of).fold(0.0, f64::max);
    let (wide, high) = (most(&|p| p.0) + 1.0, most(&|p| p.1) + 1.0);
    let scale = ((side as f64 / wide.max(high)) as usize).max(1);
    let (width, height) =
        ((wide * scale as f64).ceil() as usize, (high * scale as f64).ceil() as usize);
    let finite = values.iter().copied().filter(|v| v.is_finite());
    let (low, top) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    // Every second row of hexagons is shifted by half a step.
    let hexagons = places.iter().any(|place| place.0.fract() != 0.0);
    let is_in = |unit: usize, at: (f64, f64)| {
        let (dx, dy) = ((places[unit].0 - at.0).abs(), (places[unit].1 - at.1).abs());
        let far = if hexagons { dx.max(0.5 * dx + 0.75f64.sqrt() * dy) } else { dx.max(dy) };
        far <= 0.5 + 1e-9
    };
    let mut out = vec![f64::NAN; width * height];
    let mut beside = vec![true; width * height];
    // Cells are convex and near: each pixel looks at the places of its neighborhood.
    let mut bins = std::collections::HashMap::<(i64, i64), Vec<usize>>::new();
    for (unit, place) in places.iter().enumerate() {
        bins.entry((place.0.floor() as i64, place.1.floor() as i64)).or_default().push(unit);
    }
    for y in 0..height {
        for x in 0..width {
            let at = ((x as f64 + 0.5) / scale as f64 - 0.5, (y as f64 + 0.5) / scale as f64 - 0.5);
            let (bx, by) = (at.0.floor() as i64, at.1.floor() as i64);
            let around = (-1..=2).flat_map(|dy| (-1..=2).map(move |dx| (bx + dx, by + dy)));
            let near = around.filter_map(|bin| bins.get(&bin)).flatten();
            let apart = |unit: usize| (places[unit].0 - at.0).hypot(places[unit].1 - at.1);
            let nearest = near.min_by(|&&a, &&b| apart(a).total_cmp(&apart(b)));
            if let Some(&unit) = nearest.filter(|&&unit| is_in(unit, at)) {
                out[y * width + x] = values.get(unit).copied().unwrap_or(f64::NAN);
                beside[y * width + x] = false;
            }
        }
    }
    let mut image = heat_between(&out, width, low, top);
    // What lies beside all cells is white.
    for (at, _) in beside.iter().enumerate().filter(|(_, beside)| **beside) {
        image.fill(at % width, at / width, 1, 1, [255; 3]);
    }
    (image, low, top)
}

/// The examples nearest to centers, a line for each cluster, after the center itself if it is an image;
/// values are intensities in \[0, 1\]. Lines may be shorter than the longest.
pub fn nearest_to_centers(lines: &[Vec<Vec<f32>>], shape: [usize; 3], with_centers: bool) -> Image {
    let size: usize = shape.iter().product();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let mut values: Vec<f32> = Vec::with_capacity(lines.len() * columns * size);
    for line in lines {
        line.iter().for_each(|example| values.extend(example));
        values.extend(std::iter::repeat_n(1.0, (columns - line.len()) * size));
    }
    let title = match with_centers {
        true => "centers, and the examples nearest to each",
        false => "the examples nearest to each center",
    };
    Image::vstack(&[(title, grid(&values, shape, columns))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clustering::{HdbscanConfig, Points};

    #[test]
    fn clusters_are_drawn_with_their_names() {
        let points: Vec<(f64, f64)> = (0..30).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        let labels: Vec<Option<u32>> = (0..30).map(|i| (i % 4 > 0).then_some(i % 4 - 1)).collect();
        let plot = cluster_scatter("rows", ["a", "b"], &points, &labels, 3);
        let names: Vec<&str> = plot.series.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["noise", "0", "1", "2"]);
        assert_eq!(plot.series.iter().map(|s| s.points.len()).sum::<usize>(), 30);
        // Each that is named has a color of its own, none of them that of noise.
        let twelve: Vec<Option<u32>> = (0..30).map(|i| (i < 24).then_some(i % 12)).collect();
        let plot = cluster_scatter("rows", ["a", "b"], &points, &twelve, 12);
        let groups: std::collections::BTreeSet<_> = plot.series.iter().map(|s| s.group).collect();
        assert_eq!((plot.series.len(), groups.len()), (13, 13));
        let many: Vec<Option<u32>> = (0..30).map(Some).collect();
        let plot = cluster_scatter("rows", ["a", "b"], &points, &many, 30);
        assert!(plot.series.iter().all(|series| series.name.is_empty()));
        assert_eq!(plot.series.iter().map(|s| s.points.len()).sum::<usize>(), 30);
        let large: Vec<(f64, f64)> = (0..50_001).map(|i| (f64::from(i), 0.0)).collect();
        let labels = vec![Some(0); 50_001];
        let plot = cluster_scatter("rows", ["a", "b"], &large, &labels, 1);
        assert_eq!(plot.series[0].points.len(), 50_001_usize.div_ceil(3));
    }

    #[test]
    fn maps_have_a_color_for_each_unit() {
        let places = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)];
        let (image, low, high) = cells(&places, &[0.0, 1.0, 2.0, 3.0], 100);
        assert_eq!((image.width(), image.height(), low, high), (100, 100, 0.0, 3.0));
        let at = |x: usize, y: usize| &image.rgb()[(y * 100 + x) * 3..][..3];
        let corners = [at(2, 2), at(97, 2), at(2, 97), at(97, 97)];
        for (i, a) in corners.iter().enumerate() {
            assert!(corners[..i].iter().all(|b| a != b));
        }
        // Hexagons: half a step to the right in every second row.
        let places = [(0.0, 0.0), (1.0, 0.0), (0.5, 0.75f64.sqrt()), (1.5, 0.75f64.sqrt())];
        let (image, ..) = cells(&places, &[1.0; 4], 100);
        assert_eq!(&image.rgb()[..3], [255; 3], "the corner is no cell");
        unit_map("hits", &places, &[1.0, f64::NAN, 2.0, 3.0]);
        component_planes(&["a".into(), "b".into()], &places, &[0.0; 8]);
    }

    #[test]
    fn a_tree_shows_chosen_clusters() {
        let mut values = Vec::new();
        for i in 0..40 {
            values.push(f64::from(i % 2) * 100.0 + f64::from(i) * 0.1);
        }
        let found = HdbscanConfig::default().fit(Points::new(&values, 1).unwrap()).unwrap();
        assert_eq!(found.clusters, 2);
        let image = condensed_tree(&found.condensed_tree, &found.selected).unwrap();
        let has = |color: [u8; 3]| image.rgb().chunks_exact(3).any(|pixel| pixel == color);
        assert!(has(palette(0)) && has(palette(1)));
        // Equal rows never part.
        let found = HdbscanConfig::default().fit(Points::new(&[1.0; 30], 1).unwrap()).unwrap();
        condensed_tree(&found.condensed_tree, &found.selected).unwrap();
    }
}
