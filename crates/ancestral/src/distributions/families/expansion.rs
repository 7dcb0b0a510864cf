//! Sums of log-kernels with their first and second derivatives in the parameters, in closed form.

/// A sum of log-kernels around parameters.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Expansion {
    /// The sum.
    pub value: f64,
    /// Its derivatives in the parameters, by place.
    pub gradient: [f64; 3],
    /// Its second derivatives: those with j ≤ i.
    pub hessian: [[f64; 3]; 3],
}

impl Expansion {
    /// Of a function ψ of z = (x − μ) / σ, by the sums of ψ, ψ′, z ψ′, ψ″, z ψ″ and z² ψ″; μ is at a
    /// place and σ at the next one.
    pub fn of_location_and_scale(place: usize, scale: f64, sums: [f64; 6]) -> Self {
        let [value, slope, slope_z, curve, curve_z, curve_zz] = sums;
        let mut all = Self { value, ..Self::default() };
        let (square, next) = (scale * scale, place + 1);
        all.gradient[place] = -slope / scale;
        all.gradient[next] = -slope_z / scale;
        all.hessian[place][place] = curve / square;
        all.hessian[next][place] = (slope + curve_z) / square;
        all.hessian[next][next] = (2.0 * slope_z + curve_zz) / square;
        all
    }

    /// With a shape at place 0, before μ and σ, by the sums of ∂ψ, ∂²ψ, ∂ψ′ and z ∂ψ′ in it.
    #[must_use]
    pub fn with_shape(mut self, scale: f64, [slope, curve, mixed, mixed_z]: [f64; 4]) -> Self {
        self.gradient[0] = slope;
        self.hessian[0][0] = curve;
        self.hessian[1][0] = -mixed / scale;
        self.hessian[2][0] = -mixed_z / scale;
        self
    }

    /// Of a function ψ of t = k l, l = ln(x / λ), with parameters k and λ, by the sums of ψ′, l ψ′, ψ″, l ψ″
    /// and l² ψ″.
    pub fn of_shape_and_scale(theta: &[f64], value: f64, sums: [f64; 5]) -> Self {
        let [slope, slope_l, curve, curve_l, curve_ll] = sums;
        let mut all = Self { value, ..Self::default() };
        let &[shape, scale] = theta else { return all };
        let rate = shape / scale;
        all.gradient = [slope_l, -rate * slope, 0.0];
        all.hessian[0][0] = curve_ll;
        all.hessian[1][0] = -(slope / scale + rate * curve_l);
        all.hessian[1][1] = rate * (slope / scale + rate * curve);
        all
    }

    /// Itself, unless an entry is infinite or no number.
    pub fn finite(self) -> Option<Self> {
        let entries = self.gradient.iter().chain(self.hessian.iter().flatten());
        let all = self.value.is_finite() && entries.into_iter().all(|x| x.is_finite());
        all.then_some(self)
    }
}
