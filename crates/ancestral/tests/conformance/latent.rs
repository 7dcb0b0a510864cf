//! Latent codes.

use ancestral::model::Init;
use ancestral::spec::cpu;
use ancestral_data::Batch;

use crate::cases::{cases, examples, label};
use crate::support::{different, prepared};

#[test]
fn codes_belong_to_their_examples_and_lead_back_to_the_domain() {
    let mut tried = 0;
    for (entry, data, settings) in cases() {
        let name = label(&entry, &data, &settings);
        let model = prepared(&entry, &data, &settings, &Init::new(&cpu(), 1));
        let Some(latent) = model.latent() else { continue };
        tried += 1;
        let dim = latent.latent_dim();
        let chosen = different(&data, 3);
        let batch = examples(&data).batch(&chosen, 0);
        let codes = latent.encode(&batch).unwrap();
        assert_eq!(codes.len(), 3 * dim, "{name}");
        assert!(codes.iter().all(|code| code.is_finite()), "{name}");
        assert_ne!(codes[..dim], codes[dim..2 * dim], "{name}: all codes are the same");
        // Codes are batch-invariant, and do not depend on the epoch.
        for (i, index) in chosen.into_iter().enumerate() {
            let alone = Batch { epoch: 7, ..examples(&data).batch(&[index], 0) };
            for (a, b) in latent.encode(&alone).unwrap().iter().zip(&codes[i * dim..]) {
                assert!((a - b).abs() < 1e-4, "{name}: {a} {b}");
            }
        }
        if let Some((means, stds)) = latent.posterior(&batch).unwrap() {
            assert_eq!(means, codes, "{name}: a code is the mean of its posterior");
            assert_eq!(stds.len(), codes.len(), "{name}");
            assert!(stds.iter().all(|&std| std > 0.0 && std.is_finite()), "{name}");
        }
        let labels = batch.labels.as_deref();
        let decoded = latent.decode(&codes, labels).unwrap();
        assert_eq!(decoded.len(), 3 * data.shape.size(), "{name}");
        let top = data.domain.max_level().map_or(f64::INFINITY, f64::from);
        let least = if top.is_finite() { 0.0 } else { f64::NEG_INFINITY };
        // Means are rounded in single precision.
        let fits = |x: &f64| x.is_finite() && (least..=top * (1.0 + 1e-6)).contains(x);
        assert!(decoded.iter().all(fits), "{name}: {decoded:?}");
        assert!(latent.decode(&codes[1..], labels).is_err(), "{name}: a code too short was taken");
        let short = Batch { values: batch.values[1..].to_vec(), ..batch };
        assert!(latent.encode(&short).is_err(), "{name}: an example too short was taken");
    }
    assert!(tried > 3);
}
