//! Line, scatter and bar plots and heat maps as `.svg` or `.png` files.
//!
//! A [`Plot`] is described first and drawn when it is saved; values that are not finite, or not
//! positive on a logarithmic axis, leave a gap.

mod axis;
mod color_bar;
mod draw;
mod graph;
mod layout;

use std::path::Path;

use ancestral_data::write_atomic;

use crate::heat::{PALE, colored, refined};
use crate::{Image, PlotError};

pub use color_bar::color_bar;
pub use graph::{Graph, Node};

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// A line through the points in their order.
    #[default]
    Line,
    /// A dashed line through the points in their order.
    Dashed,
    /// A dot at each point.
    Points,
    /// A bar for each point, next to those of other series.
    Bars,
    /// A line over the shaded area down to 0.
    Area,
}

/// A data series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The name in the legend; without one it is not in the legend.
    pub name: String,
    /// The points, `(x, y)`.
    pub points: Vec<(f64, f64)>,
    /// How it is drawn.
    pub kind: Kind,
    /// The number of its color; by default, its index among the series.
    pub group: Option<usize>,
}

impl Series {
    /// A series of the given kind.
    pub fn new(
        kind: Kind,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), kind, group: None }
    }

    /// A line.
    pub fn line(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(Kind::Line, name, points)
    }

    /// A dashed line.
    pub fn dashed(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(Kind::Dashed, name, points)
    }

    /// A scatter plot.
    pub fn points(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(Kind::Points, name, points)
    }

    /// Bars.
    pub fn bars(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(Kind::Bars, name, points)
    }

    /// A line over a shaded area.
    pub fn area(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self::new(Kind::Area, name, points)
    }

    /// Sets the number of the color, which several series can share.
    #[must_use]
    pub fn group(mut self, group: usize) -> Self {
        self.group = Some(group);
        self
    }
}

/// A straight line across the whole plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Marker {
    at: f64,
    label: String,
}

/// An image that fills a rectangle of the plot's coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Background {
    image: Image,
    x: (f64, f64),
    y: (f64, f64),
    /// The color bar, for maps.
    scale: Option<Scale>,
}

/// A color bar: the values at its ends and its label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    label: String,
}

/// Points whose colors are values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Colored {
    /// `(x, y, value)`.
    points: Vec<(f64, f64, f64)>,
    scale: Scale,
}

/// A word in the plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    at: (f64, f64),
    text: String,
    light: bool,
}

/// The smallest and the largest finite value.
fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
}

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The title, above the plot.
    pub title: String,
    /// The label of the horizontal axis.
    pub x_label: String,
    /// The label of the vertical axis.
    pub y_label: String,
    /// The series, the last one on top.
    pub series: Vec<Series>,
    x_log: bool,
    y_log: bool,
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
    x_names: Vec<String>,
    y_names: Vec<String>,
    equal_aspect: bool,
    vertical: Vec<Marker>,
    horizontal: Vec<Marker>,
    background: Option<Background>,
    colored: Option<Colored>,
    texts: Vec<Text>,
    size: (u32, u32),
}

impl Plot {
    /// An empty plot.
    pub fn new(
        title: impl Into<String>,
        x_label: impl Into<String>,
        y_label: impl Into<String>,
    ) -> Self {
        Self {
            title: title.into(),
            x_label: x_label.into(),
            y_label: y_label.into(),
            series: Vec::new(),
            x_log: false,
            y_log: false,
            x_range: None,
            y_range: None,
            x_names: Vec::new(),
            y_names: Vec::new(),
            equal_aspect: false,
            vertical: Vec::new(),
            horizontal: Vec::new(),
            background: None,
            colored: None,
            texts: Vec::new(),
            size: (800, 520),
        }
    }

    /// Adds a series.
    #[must_use]
    pub fn with(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Makes the horizontal axis logarithmic.
    #[must_use]
    pub fn log_x(mut self) -> Self {
        self.x_log = true;
        self
    }

    /// Makes the vertical axis logarithmic.
    #[must_use]
    pub fn log_y(mut self) -> Self {
        self.y_log = true;
        self
    }

    /// Sets the limits of the horizontal axis; the rest is clipped.
    #[must_use]
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x_range = Some((low, high));
        self
    }

    /// Sets the limits of the vertical axis; the rest is clipped.
    #[must_use]
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y_range = Some((low, high));
        self
    }

    /// Labels the positions 0, 1, 2, … of the horizontal axis, for bars.
    #[must_use]
    pub fn x_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.x_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Labels the positions 0, 1, 2, … of the vertical axis, for rows of a matrix.
    #[must_use]
    pub fn y_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.y_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Gives both axes the same scale, as equal aspect.
    #[must_use]
    pub fn equal_aspect(mut self) -> Self {
        self.equal_aspect = true;
        self
    }

    /// Draws a vertical line at `x`, with a label next to it.
    #[must_use]
    pub fn vertical_marker(mut self, x: f64, label: impl Into<String>) -> Self {
        self.vertical.push(Marker { at: x, label: label.into() });
        self
    }

    /// Draws a horizontal line at `y`, with a label above it.
    #[must_use]
    pub fn horizontal_marker(mut self, y: f64, label: impl Into<String>) -> Self {
        self.horizontal.push(Marker { at: y, label: label.into() });
        self
    }

    /// Writes a text centered at a point, over everything else; `light` on a dark ground.
    #[must_use]
    pub fn text(mut self, at: (f64, f64), text: impl Into<String>, light: bool) -> Self {
        self.texts.push(Text { at, text: text.into(), light });
        self
    }

    /// Draws an image under the series, its top row at the upper end of `y_range`.
    #[must_use]
    pub fn background(mut self, image: Image, x_range: (f64, f64), y_range: (f64, f64)) -> Self {
        self.background = Some(Background { image, x: x_range, y: y_range, scale: None });
        self
    }

    /// Draws a heat map under the series, with a color bar next to the plot.
    ///
    /// `values` holds one value for each cell of the rectangle, row after row from the upper end
    /// of `y_range`, `columns` per row; between the centers of cells they are interpolated. The
    /// colors are those of [`heat`](crate::heat), lightened so that series stand out, from the
    /// smallest value to the largest; gray marks values that are not finite. The axes show the
    /// rectangle, unless their ranges are set.
    ///
    /// With [`Plot::equal_aspect`] the plot becomes narrower or lower than its size, instead of
    /// extending the axes.
    #[must_use]
    pub fn with_map(
        self,
        values: &[f64],
        columns: usize,
        x_range: (f64, f64),
        y_range: (f64, f64),
        label: impl Into<String>,
    ) -> Self {
        let (low, high) = ends(values.iter().copied());
        self.with_map_between(values, columns, x_range, y_range, label, (low, high))
    }

    /// As [`Plot::with_map`], with the given limits of the color scale, so that the frames of an
    /// animation share it.
    #[must_use]
    pub fn with_map_between(
        mut self,
        values: &[f64],
        columns: usize,
        x_range: (f64, f64),
        y_range: (f64, f64),
        label: impl Into<String>,
        (low, high): (f64, f64),
    ) -> Self {
        // Without values there are no limits.
        let values = if values.is_empty() { &[f64::NAN] } else { values };
        let (fine, columns) = refined(values, columns);
        self.background = Some(Background {
            image: colored(&fine, columns, low, high, PALE),
            x: x_range,
            y: y_range,
            scale: Some(Scale { low, high, label: label.into() }),
        });
        self
    }

    /// Draws points `(x, y, value)` whose colors are their values, over the series, with a color bar next
    /// to the plot; larger values are drawn later. Values that are not finite are gray.
    ///
    /// A plot has one color bar: that of a map comes first.
    #[must_use]
    pub fn with_colored_points(
        mut self,
        points: impl IntoIterator<Item = (f64, f64, f64)>,
        label: impl Into<String>,
    ) -> Self {
        let mut points: Vec<(f64, f64, f64)> = points.into_iter().collect();
        points.sort_by(|a, b| a.2.total_cmp(&b.2));
        let (low, high) = ends(points.iter().map(|p| p.2));
        self.colored = Some(Colored { points, scale: Scale { low, high, label: label.into() } });
        self
    }

    /// Sets the size in pixels, by default 800×520.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        // The labels need a minimum size, and the pixels a maximum size.
        self.size = (width.clamp(200, 8192), height.clamp(160, 8192));
        self
    }

    /// Writes the plot as `.svg` or `.png`, by the extension of the path.
    ///
    /// # Errors
    /// If the extension is another one, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let path = path.as_ref();
        match path.extension().and_then(|e| e.to_str()) {
            Some("svg") => Ok(write_atomic(path, self.to_svg()?.as_bytes())?),
            Some("png") => self.to_image()?.save_png(path),
            _ => Err(PlotError::Extension { path: path.into() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use ancestral_test_support::assert_hash;

    use super::*;
    use crate::{heat, save_gif};

    fn busy() -> Plot {
        let wave = |phase: f64| {
            (0..200).map(move |i| (f64::from(i) / 20.0, (f64::from(i) / 20.0 + phase).sin()))
        };
        Plot::new("Title with λ, ≤ and ²", "x", "log p(x)")
            .with(Series::area("area", wave(0.0).map(|(x, y)| (x, y.abs()))))
            .with(Series::line("line", wave(1.0)))
            .with(Series::dashed("dashed", wave(2.0)).group(1))
            .with(Series::points("points", wave(3.0).step_by(9)))
            .with(Series::bars("bars", (0..10).map(|i| (f64::from(i), 0.3))).group(4))
            .vertical_marker(8.5, "here")
            .horizontal_marker(0.5, "level <&>")
    }

    #[test]
    fn every_kind_is_drawn_in_both_formats() {
        let dir = tempfile::tempdir().unwrap();
        busy().save(dir.path().join("a.svg")).unwrap();
        busy().save(dir.path().join("a.png")).unwrap();
        let svg = std::fs::read_to_string(dir.path().join("a.svg")).unwrap();
        for word in [
            "Title with λ, ≤ and ²",
            "dashed",
            "level &lt;&amp;&gt;",
            "<svg width=\"800\" height=\"520\"",
            "</svg>",
        ] {
            assert!(svg.contains(word), "{word}");
        }
        let png = image::open(dir.path().join("a.png")).unwrap().to_rgb8();
        assert_eq!(png.dimensions(), (800, 520));
        // Each color of the first three groups leaves a trace.
        for ink in [[0x00, 0x72, 0xB2], [0xD5, 0x5E, 0x00], [0xE6, 0x9F, 0x00]] {
            assert!(png.pixels().any(|p| p.0 == ink), "{ink:?}");
        }
        assert!(busy().save(dir.path().join("a.pdf")).is_err());
        assert_hash(&dir.path().join("a.png"), "23179898c5c12416");
        assert_hash(&dir.path().join("a.svg"), "20372671ad23063f");
    }

    #[test]
    fn what_cannot_be_drawn_is_a_gap() {
        let odd = [(f64::NAN, 1.0), (1.0, f64::INFINITY), (0.0, -1.0), (2.0, 0.0), (1e300, 1e-300)];
        for kind in [Kind::Line, Kind::Dashed, Kind::Points, Kind::Bars, Kind::Area] {
            for points in [&odd[..], &odd[..3], &[]] {
                let plot = Plot::new("", "", "").with(Series::new(kind, "s", points.to_vec()));
                for plot in [
                    plot.clone(),
                    plot.clone().log_x().log_y(),
                    plot.clone().equal_aspect(),
                    plot.clone().x_range(0.5, 0.5).y_range(f64::NAN, 2.0),
                    plot.size(0, 0).vertical_marker(f64::NAN, "").x_names(["a"]),
                ] {
                    plot.to_svg().unwrap();
                    plot.to_image().unwrap();
                }
            }
        }
    }

    #[test]
    fn a_background_lies_under_the_points() {
        let map = heat(&(0..400).map(f64::from).collect::<Vec<_>>(), 20);
        let plot = Plot::new("", "", "")
            .background(map, (-2.0, 2.0), (-2.0, 2.0))
            .with(Series::points("", [(0.0, 0.0)]))
            .size(500, 460);
        let svg = plot.to_svg().unwrap();
        assert!(svg.contains("<image") && svg.contains("data:image/png;base64,"));
        assert!(!svg.contains("#010203"));
        let image = plot.clone().equal_aspect().to_image().unwrap();
        let has = |ink: [u8; 3]| {
            image.rgb().chunks(3).any(|p| p.iter().zip(ink).all(|(&a, b)| a.abs_diff(b) < 4))
        };
        // Viridis from end to end.
        assert!(has([68, 1, 84]), "no dark end");
        assert!(has([253, 231, 37]), "no light end");
        // Cut at fixed ranges: the lower half of the map is out of sight.
        let cut = plot.x_range(-1.0, 1.0).y_range(0.1, 2.0);
        let image = cut.to_image().unwrap();
        assert!(!image.rgb().chunks(3).any(|p| p == [253, 231, 37]));
        assert!(cut.to_svg().unwrap().contains("<image"));
    }

    /// A slope from −1 at the left to 1 at the right, with a few points.
    fn slope(cells: usize) -> Plot {
        let values: Vec<f64> = (0..cells * cells)
            .map(|i| 2.0 * ((i % cells) as f64 + 0.5) / cells as f64 - 1.0)
            .collect();
        Plot::new("", "x", "y")
            .with_map(&values, cells, (-3.0, 3.0), (-3.0, 3.0), "what it is")
            .with(Series::points("", [(0.0, 0.0), (1.0, -1.0)]))
            .equal_aspect()
    }

    fn at(image: &Image, x: usize, y: usize) -> [u8; 3] {
        let at = (y * image.width() + x) * 3;
        [0, 1, 2].map(|c| image.rgb()[at + c])
    }

    #[test]
    fn a_map_has_a_bar_that_says_what_its_colors_mean() {
        let plot = slope(10).size(800, 500);
        let image = plot.to_image().unwrap();
        // The map is square, with nothing but the bar next to it.
        assert_eq!(image.height(), 500);
        assert!((560..640).contains(&image.width()), "{}", image.width());
        // The bar from its upper to its lower end, in the map's colors at the right and left.
        let bar = (0..image.width())
            .rev()
            .find(|&x| at(&image, x, 46).iter().zip([255, 247, 168]).any(|(a, _)| *a < 250))
            .unwrap();
        let (top, bottom) = (at(&image, bar - 6, 50), at(&image, bar - 6, 438));
        assert!(top[0] > 240 && top[2] < 160, "{top:?}");
        assert!(bottom[0] < 170 && bottom[1] < 130, "{bottom:?}");
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 12);
        assert!(near(at(&image, 90, 300), bottom), "{:?}", at(&image, 90, 300));
        let svg = plot.to_svg().unwrap();
        for word in ["what it is", "data:image/png;base64,", "0.5"] {
            assert!(svg.contains(word), "{word}");
        }
        // Interpolated, a coarse map is as smooth as a fine one.
        let fine = slope(200).size(800, 500).to_image().unwrap();
        for x in [150, 200, 260, 330] {
            assert!(near(at(&image, x, 400), at(&fine, x, 400)), "{x}");
        }
    }

    #[test]
    fn odd_maps_are_no_panic() {
        for (values, columns) in [
            (vec![], 0),
            (vec![f64::NAN; 4], 2),
            (vec![1.0; 4], 2),
            (vec![1.0, f64::INFINITY, 2.0], 2),
            (vec![1e300, -1e300], 1),
        ] {
            for range in [(0.0, 0.0), (1.0, -1.0), (0.0, f64::NAN), (0.0, 1e-9)] {
                let plot = Plot::new("", "", "").with_map(&values, columns, range, (0.0, 1.0), "");
                let plot = plot.size(0, 0);
                for plot in [plot.clone(), plot.clone().equal_aspect(), plot.log_x()] {
                    plot.to_image().unwrap();
                    plot.to_svg().unwrap();
                }
            }
        }
    }

    #[test]
    fn plots_are_frames_of_an_animation() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.gif");
        // Maps between fixed values and points that move do not change the size.
        let frames: Vec<Image> = (0..3)
            .map(|i| {
                let step = f64::from(i);
                let map = [step, 1.0, 2.0, 30.0 * step];
                Plot::new(format!("after {i} steps"), "x", "y")
                    .with_map_between(&map, 2, (0.0, 4.0), (0.0, 4.0), "D(x)", (0.0, 9.0))
                    .with(Series::points("points", [(step, 3.0 * step)]))
                    .equal_aspect()
                    .size(300, 240)
                    .to_image()
                    .unwrap()
            })
            .collect();
        save_gif(&frames, 100, &path).unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(std::fs::File::open(&path).unwrap()).unwrap();
        let mut seen = 0;
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            // 256 colors come near to all of a plot's.
            let pairs = frame.buffer.chunks(4).zip(frames[seen].rgb().chunks(3));
            let off: u64 = pairs
                .flat_map(|(a, b)| a.iter().zip(b))
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            assert!(off < 3 * frames[seen].rgb().len() as u64, "{off}");
            seen += 1;
        }
        assert_eq!(seen, 3);
    }
}
