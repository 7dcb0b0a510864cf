//! Directed graphs of named and colored nodes, as `.svg` or `.png` files.

use std::path::Path;

use ancestral_data::write_atomic;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::draw::{FAMILY, FINE, INK, SMOOTH, SVG_FAMILY, register_font};
use super::layout::positions;
use super::{Scale, ends};
use crate::font::text_width;
use crate::{Image, PlotError};

/// A node: a name in a frame, or a circle with a color.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    name: String,
    /// The radius of a circle in pixels, and the value that is its color.
    circle: Option<(f64, f64)>,
}

impl Node {
    /// A name in a frame.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), circle: None }
    }

    /// A circle of a radius in pixels, whose color is a value.
    pub fn circle(radius: f64, value: f64) -> Self {
        let radius = if radius.is_finite() { radius.clamp(1.0, 60.0) } else { 1.0 };
        Self { name: String::new(), circle: Some((radius, value)) }
    }

    /// Half of its width and of its height.
    fn half(&self) -> (f64, f64) {
        match self.circle {
            Some((radius, _)) => (radius, radius),
            None => (f64::from(text_width(&self.name, TEXT as f32)) / 2.0 + 7.0, 11.0),
        }
    }
}

/// A directed graph, whose nodes are placed by the lengths of its edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    title: String,
    label: String,
    nodes: Vec<Node>,
    edges: Vec<(usize, usize)>,
    size: (u32, u32),
}

const TEXT: u32 = 14;
const TOP: u32 = 44;
const MARGIN: u32 = 14;
const EDGE: RGBColor = RGBColor(0xA8, 0xAC, 0xB2);
const FRAME: RGBColor = RGBColor(0xC4, 0xC8, 0xCE);
const PAPER: RGBColor = RGBColor(0xF5, 0xF6, 0xF8);
/// Length and half width of an arrow's head in pixels.
const HEAD: (f64, f64) = (7.0, 3.2);

impl Graph {
    /// A graph without nodes; `label` says what the colors of circles are.
    pub fn new(title: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            label: label.into(),
            nodes: Vec::new(),
            edges: Vec::new(),
            size: (1000, 720),
        }
    }

    /// Adds a node and returns its number.
    pub fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Adds an arrow between two nodes; one to a node that is not there is not drawn.
    pub fn join(&mut self, from: usize, to: usize) {
        self.edges.push((from, to));
    }

    /// Sets the size in pixels, by default 1000×720.
    #[must_use]
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = (width.clamp(300, 8192), height.clamp(240, 8192));
        self
    }

    /// Writes it as `.svg` or `.png`, by the extension of the path.
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

    /// The graph as pixels.
    ///
    /// # Errors
    /// If the drawing fails.
    pub fn to_image(&self) -> Result<Image, PlotError> {
        let (wide, high) = (self.size.0 * SMOOTH, self.size.1 * SMOOTH);
        let mut rgb = vec![255; wide as usize * high as usize * 3];
        let area = BitMapBackend::with_buffer(&mut rgb, (wide, high)).into_drawing_area();
        self.draw(&area, SMOOTH)?;
        drop(area);
        Ok(Image::new(wide as usize, high as usize, rgb)?.averaged(SMOOTH as usize))
    }

    /// The graph as the text of an SVG file.
    ///
    /// # Errors
    /// If the drawing fails.
    pub fn to_svg(&self) -> Result<String, PlotError> {
        let ((width, height), mut svg) = (self.size, String::new());
        let (wide, high) = (width * FINE, height * FINE);
        let area = SVGBackend::with_string(&mut svg, (wide, high)).into_drawing_area();
        self.draw(&area, FINE)?;
        drop(area);
        let large = format!("width=\"{wide}\" height=\"{high}\" viewBox");
        let small = format!("width=\"{width}\" height=\"{height}\" viewBox");
        Ok(svg.replacen(&large, &small, 1).replace(FAMILY, SVG_FAMILY))
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
    ) -> Result<(), PlotError> {
        register_font();
        self.try_draw(area, k)
            .map_err(|e| PlotError::Draw { title: self.title.clone(), problem: e.to_string() })
    }

    fn try_draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        k: u32,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        area.fill(&WHITE)?;
        let (width, height) = self.size;
        let title = (FAMILY, 20 * k).into_font().color(&INK);
        let title = title.pos(Pos::new(HPos::Center, VPos::Center));
        area.draw_text(&self.title, &title, ((width * k / 2) as i32, (TOP * k / 2) as i32))?;
        let values = self.nodes.iter().filter_map(|node| node.circle.map(|c| c.1));
        let (low, high) = ends(values);
        let scale = Scale { low, high, label: self.label.clone() };
        let side = if low.is_finite() { scale.width(height) } else { 0 };
        if side > 0 {
            let left = width - side - 4;
            scale.draw(area, k, left, (TOP + 20, height - 2 * MARGIN - 20), height, 0.0)?;
        }
        let room = (
            f64::from(width.saturating_sub(2 * MARGIN + side + MARGIN).max(1)),
            f64::from(height.saturating_sub(TOP + MARGIN).max(1)),
        );
        let halves: Vec<(f64, f64)> = self.nodes.iter().map(Node::half).collect();
        let known = |&(from, to): &(usize, usize)| {
            from != to && from < self.nodes.len() && to < self.nodes.len()
        };
        let edges: Vec<(usize, usize)> = self.edges.iter().copied().filter(known).collect();
        let at: Vec<(f64, f64)> = positions(&halves, &edges, room.0, room.1)
            .into_iter()
            .map(|(x, y)| (x + f64::from(MARGIN), y + f64::from(TOP)))
            .collect();
        let s = f64::from(k);
        let pixel = |(x, y): (f64, f64)| ((x * s).round() as i32, (y * s).round() as i32);
        for &(from, to) in &edges {
            let begin = self.border(from, at[from], at[to], &halves);
            let end = self.border(to, at[to], at[from], &halves);
            let (dx, dy) = (end.0 - begin.0, end.1 - begin.1);
            let length = dx.hypot(dy);
            if length < 1.0 {
                continue;
            }
            let (ux, uy) = (dx / length, dy / length);
            let neck = (end.0 - ux * HEAD.0.min(length), end.1 - uy * HEAD.0.min(length));
            let line = vec![pixel(begin), pixel(neck)];
            area.draw(&PathElement::new(line, EDGE.stroke_width(k + k / 2)))?;
            let wing = |side: f64| (neck.0 - side * uy * HEAD.1, neck.1 + side * ux * HEAD.1);
            let head = [end, wing(1.0), wing(-1.0)].map(pixel);
            area.draw(&Polygon::new(head.to_vec(), EDGE.filled()))?;
        }
        let style = (FAMILY, TEXT * k).into_font().color(&INK);
        let style = style.pos(Pos::new(HPos::Center, VPos::Center));
        for ((node, &place), half) in self.nodes.iter().zip(&at).zip(&halves) {
            match node.circle {
                Some((radius, value)) => {
                    let radius = (radius * s).round() as u32;
                    let fill = scale.color(value, 0.0).filled();
                    area.draw(&Circle::new(pixel(place), radius, fill))?;
                    area.draw(&Circle::new(pixel(place), radius, INK.stroke_width(k)))?;
                }
                None => {
                    let corners = [
                        pixel((place.0 - half.0, place.1 - half.1)),
                        pixel((place.0 + half.0, place.1 + half.1)),
                    ];
                    area.draw(&Rectangle::new(corners, PAPER.filled()))?;
                    area.draw(&Rectangle::new(corners, FRAME.stroke_width(k)))?;
                    area.draw_text(&node.name, &style, pixel(place))?;
                }
            }
        }
        area.present()
    }

    /// Where a line from the center of a node to another point leaves the node.
    fn border(
        &self,
        node: usize,
        from: (f64, f64),
        to: (f64, f64),
        halves: &[(f64, f64)],
    ) -> (f64, f64) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy).max(1e-9);
        let share = match self.nodes[node].circle {
            Some((radius, _)) => (radius + 1.0) / length,
            None => {
                let (half_x, half_y) = (halves[node].0 + 1.0, halves[node].1 + 1.0);
                (half_x / dx.abs().max(1e-9)).min(half_y / dy.abs().max(1e-9))
            }
        };
        let share = share.min(1.0);
        (from.0 + dx * share, from.1 + dy * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_circles_and_arrows_are_drawn() {
        let mut graph = Graph::new("title <&>", "lift");
        let (milk, bread) = (graph.add(Node::named("milk")), graph.add(Node::named("brød")));
        let rule = graph.add(Node::circle(9.0, 2.0));
        graph.add(Node::circle(5.0, 1.0));
        graph.join(milk, rule);
        graph.join(rule, bread);
        graph.join(rule, 99);
        let graph = graph.size(500, 300);
        let svg = graph.to_svg().unwrap();
        for word in ["title &lt;&amp;&gt;", "milk", "brød", "lift", "<svg width=\"500\""] {
            assert!(svg.contains(word), "{word}");
        }
        assert_eq!(svg.matches("<polygon").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 4);
        let image = graph.to_image().unwrap();
        assert_eq!((image.width(), image.height()), (500, 300));
        // Both ends of the scale.
        for ink in [[253, 231, 37], [68, 1, 84]] {
            assert!(image.rgb().chunks(3).any(|p| p == ink), "{ink:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(graph.save(dir.path().join("a.pdf")).is_err());
        graph.save(dir.path().join("a.svg")).unwrap();
    }

    #[test]
    fn odd_graphs_are_no_panic() {
        let mut graph = Graph::new("", "");
        graph.to_image().unwrap();
        graph.add(Node::circle(f64::NAN, f64::INFINITY));
        graph.add(Node::named("a name that is far longer than the image is wide".repeat(9)));
        graph.join(0, 0);
        graph.join(0, 1);
        graph.size(0, 0).to_svg().unwrap();
    }
}
