//! Features and class probabilities.

use ancestral::model::Init;
use ancestral::spec::cpu;

use crate::cases::{cases, examples, label};
use crate::support::{different, prepared};

#[test]
fn probabilities_are_such_and_depend_on_their_example_alone() {
    let mut tried = 0;
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let Some(classifier) = model.classifier() else { continue };
        tried += 1;
        let (size, classes, dim) = (data.shape.size(), data.classes(), classifier.feature_dim());
        let values = examples(&data).batch(&different(&data, 3), 0).values;
        let found = classifier.classify(&values).unwrap();
        assert_eq!(found.features.len(), 3 * dim, "{name}");
        assert_eq!(found.probabilities.len(), 3 * classes, "{name}");
        assert!(found.features.iter().all(|x| x.is_finite()), "{name}");
        if dim > 0 {
            assert_ne!(found.features[..dim], found.features[dim..2 * dim], "{name}");
        }
        for (i, row) in found.probabilities.chunks_exact(classes).enumerate() {
            assert!(row.iter().all(|&p| (0.0..=1.0).contains(&p)), "{name}: {row:?}");
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{name}: {row:?}");
            let alone = classifier.classify(&values[i * size..(i + 1) * size]).unwrap();
            for (a, b) in alone.probabilities.iter().zip(row) {
                assert!((a - b).abs() < 1e-5, "{name}: {a} {b}");
            }
            for (a, b) in alone.features.iter().zip(&found.features[i * dim..]) {
                assert!((a - b).abs() < 1e-4, "{name}: {a} {b}");
            }
        }
        assert!(classifier.classify(&values[1..]).is_err(), "{name}: too short");
        assert!(classifier.classify(&[]).unwrap().probabilities.is_empty(), "{name}");
    }
    assert!(tried > 3);
}
