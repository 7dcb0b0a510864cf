//! Points in the plane in classic shapes, with the shape that each is of.

use ancestral_data::Streams;

/// Points `[n, 2]` and the shape of each; `None` where there is none.
#[derive(Debug, Clone)]
pub(super) struct Shapes {
    pub(super) name: &'static str,
    pub(super) values: Vec<f64>,
    pub(super) truth: Vec<u32>,
}

/// Random numbers of one set of points.
pub(super) struct Draw {
    normals: Vec<f32>,
    uniforms: Vec<f32>,
    at: [usize; 2],
}

impl Draw {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let purpose = Streams::new(seed).purpose("explain shapes", number);
        let normals = purpose.normals(&[0], 8000);
        Self { normals, uniforms: purpose.uniforms(&[1], 8000), at: [0, 0] }
    }

    pub(super) fn normal(&mut self) -> f64 {
        self.at[0] += 1;
        self.normals[(self.at[0] - 1) % self.normals.len()].into()
    }

    pub(super) fn uniform(&mut self) -> f64 {
        self.at[1] += 1;
        self.uniforms[(self.at[1] - 1) % self.uniforms.len()].into()
    }
}

impl Shapes {
    fn new(
        name: &'static str,
        (seed, number): (u64, u64),
        sizes: &[usize],
        point: impl Fn(usize, &mut Draw) -> [f64; 2],
    ) -> Self {
        let mut draw = Draw::new(seed, number);
        let (mut values, mut truth) = (Vec::new(), Vec::new());
        for (shape, &size) in sizes.iter().enumerate() {
            for _ in 0..size {
                values.extend(point(shape, &mut draw));
                truth.push(shape as u32);
            }
        }
        Self { name, values, truth }
    }

    pub(super) fn points(&self) -> Vec<(f64, f64)> {
        self.values.chunks_exact(2).map(|p| (p[0], p[1])).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.truth.iter().max().map_or(0, |&most| most as usize + 1)
    }
}

/// Two half circles that reach into each other.
pub(super) fn moons(seed: u64) -> Shapes {
    Shapes::new("moons", (seed, 0), &[200, 200], |shape, draw| {
        let angle = std::f64::consts::PI * draw.uniform();
        let noise = [0.07 * draw.normal(), 0.07 * draw.normal()];
        match shape {
            0 => [angle.cos() + noise[0], angle.sin() + noise[1]],
            _ => [1.0 - angle.cos() + noise[0], 0.5 - angle.sin() + noise[1]],
        }
    })
}

/// Normal blobs around corners of a triangle.
pub(super) fn blobs(seed: u64, number: u64, each: usize, spread: f64) -> Shapes {
    Shapes::new("round", (seed, number), &[each; 3], |shape, draw| {
        let center = [[-3.0, -2.0], [3.0, -2.0], [0.0, 3.0]][shape];
        center.map(|c| c + spread * draw.normal())
    })
}

/// The shapes that methods are compared on.
pub(super) fn classic(seed: u64) -> Vec<Shapes> {
    let rings = Shapes::new("rings", (seed, 2), &[450, 200], |shape, draw| {
        let angle = std::f64::consts::TAU * draw.uniform();
        let radius = [1.0, 0.4][shape] + 0.04 * draw.normal();
        [radius * angle.cos(), radius * angle.sin()]
    });
    let stretched = Shapes::new("stretched", (seed, 3), &[150; 3], |shape, draw| {
        let (along, across) = (2.0 * draw.normal(), 0.25 * draw.normal());
        let middle = 1.6 * (shape as f64 - 1.0);
        [along + across - middle, along - across + middle]
    });
    let uneven = Shapes::new("uneven", (seed, 4), &[200, 200, 60], |shape, draw| {
        let (center, spread) = [([-2.0, 0.0], 0.15), ([-0.4, 0.0], 0.25), ([4.0, 0.0], 1.2)][shape];
        center.map(|c| c + spread * draw.normal())
    });
    vec![blobs(seed, 1, 130, 0.8), moons(seed), rings, stretched, uneven]
}
