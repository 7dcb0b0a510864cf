//! The images of a clustering.

use std::path::{Path, PathBuf};

use ancestral_data::{Domain, Streams};
use ancestral_plot::Image;

use super::cluster_spec::Clustered;
use crate::Result;
use crate::clustering::{Found, Plane, RunStreams, with_points, wrong};
use crate::report;

/// Examples next to each center.
const EXAMPLES: usize = 10;
/// Clusters whose examples are drawn.
const DRAWN: usize = 60;

impl Clustered {
    /// Draws what there is to see of the method into a folder.
    pub(super) fn draw(&mut self, folder: &Path) -> Result<()> {
        let mut made: Vec<PathBuf> = Vec::new();
        let mut save = |name: &str, image: &Image| -> Result<()> {
            let path = folder.join(name);
            image.save_png(&path)?;
            made.push(path);
            Ok(())
        };
        save("scatter.png", &self.scatter()?)?;
        if let Some(image) = self.examples_image() {
            save("examples.png", &image)?;
        }
        if self.compared.len() > 1 {
            save("compared.png", &self.compared_image()?)?;
        }
        match &self.clustering.found {
            Found::Hdbscan(found) => {
                let tree = report::condensed_tree(&found.condensed_tree, &found.selected)?;
                save("tree.png", &tree)?;
            }
            Found::Som(som, units) => {
                let places = som.places();
                let map = report::unit_map(
                    "U-matrix: the mean distance to adjacent units",
                    &places,
                    &som.u_matrix(),
                );
                save("u-matrix.png", &map)?;
                let hits: Vec<f64> = som.hits(units).iter().map(|&hits| hits as f64).collect();
                save("hits.png", &report::unit_map("rows of each unit", &places, &hits))?;
                if let Some(image) = self.unit_images() {
                    save("units.png", &image)?;
                } else {
                    let planes = report::component_planes(
                        &self.run.column_names(),
                        &places,
                        &self.centers(),
                    );
                    save("planes.png", &planes)?;
                }
            }
            Found::Kmeans(_) | Found::Dbscan(_) | Found::Mixture(_) => {}
        }
        self.files.extend(made);
        Ok(())
    }

    /// Rows in the plane: by the column, both columns, or the first two principal components.
    fn scatter(&self) -> Result<Image> {
        let names = self.run.column_names();
        let clusters = self.clustering.clusters;
        let (noise, found) = (self.noise, self.sizes.iter().filter(|&&size| size > 0).count());
        let count = |n: usize, thing: &str| format!("{n} {thing}{}", if n == 1 { "" } else { "s" });
        let thing = match &self.clustering.found {
            Found::Som(..) => "unit",
            _ => "cluster",
        };
        let mut title = format!("{}: {}", self.run.model().name(), count(found, thing));
        if noise > 0 {
            title += &format!(", {} of noise", count(noise, "row"));
        }
        let rows = self.matrix.rows();
        let (points, labels): (Vec<(f64, f64)>, [String; 2]) = match self.matrix.columns() {
            1 => {
                let points = (0..rows).map(|row| (self.matrix.row(row)[0], row as f64));
                (points.collect(), [names[0].clone(), "row".to_owned()])
            }
            2 => {
                let pair = |row: usize| {
                    let row = self.matrix.row(row);
                    (row[0], row[1])
                };
                ((0..rows).map(pair).collect(), [names[0].clone(), names[1].clone()])
            }
            _ => {
                let streams = RunStreams(Streams::new(self.run.config.seed));
                let plane = with_points!(&self.matrix, points => Ok(Plane::of(points, &streams)))
                    .map_err(|error| {
                    wrong(self.run.model().name(), self.run.model().data(), error)
                })?;
                let name = |at: usize| {
                    let share = 100.0 * plane.shares[at];
                    format!("principal component {} ({share:.0} % of the variance)", at + 1)
                };
                let points = (0..rows).map(|row| plane.place(&self.matrix.row(row))).collect();
                (points, [name(0), name(1)])
            }
        };
        let labels = [labels[0].as_str(), labels[1].as_str()];
        let own = &self.clustering.labels;
        Ok(report::cluster_scatter(&title, labels, &points, own, clusters).to_image()?)
    }

    /// The intensity of an example or a center of images.
    fn intensities(&self, values: &[f64]) -> Vec<f32> {
        let top = self.data.domain.max_level().filter(|_| self.data.domain != Domain::Real);
        let top = f64::from(top.unwrap_or(1));
        values.iter().map(|&x| (x / top) as f32).collect()
    }

    /// Each center with the examples nearest to it, of images.
    fn examples_image(&self) -> Option<Image> {
        let shape = self.data.shape.as_image()?;
        let (columns, own) = (self.matrix.columns(), self.own_centers());
        // Centers of codes are no images.
        let drawn = self.run.config.encoder.is_none().then(|| self.centers());
        let mut lines = Vec::new();
        for (cluster, center) in own.chunks_exact(columns).enumerate().take(DRAWN) {
            let near = self.nearest(cluster as u32, center, EXAMPLES);
            let mut line = Vec::new();
            if let Some(drawn) = &drawn {
                line.push(self.intensities(&drawn[cluster * columns..][..columns]));
            }
            for row in near {
                line.push(self.intensities(&self.examples.batch(&[row as u64], 0).values));
            }
            lines.push(line);
        }
        if lines.is_empty() || matches!(self.clustering.found, Found::Som(..)) {
            return None;
        }
        Some(report::nearest_to_centers(&lines, shape, drawn.is_some()))
    }

    /// The weights of the units of a map of images, as images at the places of the units.
    fn unit_images(&self) -> Option<Image> {
        let shape = self.data.shape.as_image().filter(|_| self.run.config.encoder.is_none())?;
        let Found::Som(som, _) = &self.clustering.found else { return None };
        let values = self.intensities(&self.centers());
        Some(report::grid(&values, shape, som.shape().1))
    }

    fn compared_image(&self) -> Result<Image> {
        let curve = |of: &dyn Fn(usize) -> Option<f64>| -> Vec<(f64, f64)> {
            let all = self.compared.iter().enumerate();
            all.filter_map(|(at, one)| Some((one.clusters as f64, of(at)?))).collect()
        };
        let inertia = curve(&|at| self.compared[at].inertia);
        let bic = curve(&|at| self.compared[at].bic);
        let silhouette = curve(&|at| self.compared[at].silhouette);
        let of_rows = format!("silhouette of {} rows", self.compared_rows);
        let mut curves = Vec::new();
        if !inertia.is_empty() {
            curves.push(("inertia: look for the elbow", "inertia", inertia));
        }
        if !bic.is_empty() {
            curves.push(("BIC: lower is better", "BIC", bic));
        }
        if !silhouette.is_empty() {
            curves.push(("silhouette: higher is better", of_rows.as_str(), silhouette));
        }
        let settings = &self.run.config.settings;
        let chosen = settings.get("n_clusters").or_else(|| settings.get("components"));
        let chosen = chosen.and_then(toml::Value::as_integer).unwrap_or(0);
        report::compared_clusters(&curves, chosen as usize)
    }
}
