//! Samples.

use ancestral::model::{Init, SampleRequest, sample};
use ancestral::spec::cpu;

use crate::cases::{cases, label};
use crate::support::prepared;

#[test]
fn samples_lie_in_the_domain_and_depend_on_their_number_alone() {
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        if model.sampler().is_none() {
            continue;
        }
        let size = data.shape.size();
        let all = sample(model.as_ref(), &SampleRequest::new(9, 4)).unwrap();
        assert_eq!(all.len(), 9 * size, "{name}");
        for &x in &all {
            match data.domain.max_level() {
                Some(max) => {
                    assert!(x >= 0.0 && x <= f64::from(max) && x.fract() == 0.0, "{name}: {x}");
                }
                None => assert!(x.is_finite(), "{name}: {x}"),
            }
        }
        let request = SampleRequest { first: 6, ..SampleRequest::new(2, 4) };
        let some = sample(model.as_ref(), &request).unwrap();
        for (a, b) in some.iter().zip(&all[6 * size..]) {
            assert!((a - b).abs() < 1e-4, "{name}: {a} {b}");
        }
    }
}
