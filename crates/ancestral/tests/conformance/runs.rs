//! Run folders.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use ancestral::Registry;
use ancestral::model::NamedTensors;
use ancestral::run::{RunFolder, Weights};
use ancestral::spec::cpu;
use ancestral::train::NoopObserver;
use ancestral_data::Domain;
use toml::Table;

use crate::cases::{data, find};
use crate::support::{config, loop_settings, outputs, training};

#[test]
fn a_run_that_breaks_says_so_and_keeps_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(Domain::Real);
    let entry = find("vae");
    let settings: Table = "latent_dims = [2]\nhidden = [[8]]".parse().unwrap();
    let train = loop_settings("epochs = 50\nlearning_rate = 1e30\noptimiser = 'sgd'");
    let path = dir.path().join("run");
    let run = RunFolder::create(&path, config(&entry, &data, &settings, train)).unwrap();
    let error = training(run, &data)
        .unwrap()
        .train(&mut NoopObserver, &AtomicBool::new(false))
        .unwrap_err()
        .to_string();
    assert!(error.contains("is not finite") && error.contains("step"), "{error}");
    let (model, _) =
        RunFolder::open(&path).unwrap().load(&Registry::standard(), &cpu(), Weights::Best).unwrap();
    assert!(outputs(model.as_ref(), &data).1.iter().all(|x| x.is_finite()));
}

#[test]
fn a_run_folder_is_used_by_one_process_and_of_a_known_format() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(Domain::Binary);
    let entry = find("vae");
    let settings: Table = "latent_dims = [2]\nhidden = [[8]]".parse().unwrap();
    let path = dir.path().join("run");
    let config = config(&entry, &data, &settings, loop_settings("epochs = 1"));
    let run = RunFolder::create(&path, config.clone()).unwrap();
    assert!(RunFolder::create(&path, config).unwrap_err().to_string().contains("already exists"));
    let first = training(run, &data).unwrap();
    let second = training(RunFolder::open(&path).unwrap(), &data);
    let error = second.err().unwrap().to_string();
    assert!(error.contains("another process"), "{error}");
    drop(first);
    let file = path.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("format = 2", "format = 3");
    std::fs::write(&file, text).unwrap();
    let error = RunFolder::open(&path).unwrap_err().to_string();
    assert!(error.contains("format 3"), "{error}");
}

/// The final weights of a run, and its events without times.
fn trained(path: &Path, name: &str, settings: &str, domain: Domain) -> (NamedTensors, Vec<Noted>) {
    let (data, entry) = (data(domain), find(name));
    let train = loop_settings(
        "epochs = 12\nbatch_size = 10\nlearning_rate = 0.01\nschedule = 'cosine'\n\
         average_decay = 0.9\nclip_norm = 5.0",
    );
    let config = config(&entry, &data, &settings.parse().unwrap(), train);
    let run = RunFolder::create(path, config).unwrap();
    training(run, &data).unwrap().train(&mut NoopObserver, &AtomicBool::new(false)).unwrap();
    let run = RunFolder::open(path).unwrap();
    let (model, _) = run.load(&Registry::standard(), &cpu(), Weights::Last).unwrap();
    let events = run.events().unwrap();
    let kept = events.iter().filter_map(|event| Some((event.kind(), event.entry()?)));
    let kept = kept.map(|(kind, e)| (kind.to_owned(), e.step, e.values.clone()));
    (model.tensors(), kept.collect())
}

type Noted = (String, u64, Vec<(String, f64)>);

/// Two models that are trained concurrently in one process, each in its own pool or both in the
/// global one, end with the same bits as when trained in sequence.
#[test]
fn two_trainings_in_one_process_do_not_disturb_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: String| dir.path().join(name);
    for (i, pair) in [
        // With the same names of tensors, and the same data.
        [
            ("vae", "latent_dims = [2]\nhidden = [[40]]\nimportance_samples = 2", Domain::Binary),
            ("made", "hidden = [60]\nmasks = 0", Domain::Binary),
        ],
        // With two parts, and the same model twice.
        [
            ("wgan-gp", "generator_hidden = [30]\ncritic_hidden = [40]", Domain::Real),
            ("wgan-gp", "generator_hidden = [30]\ncritic_hidden = [40]", Domain::Real),
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let alone: Vec<_> = pair
            .iter()
            .enumerate()
            .map(|(k, (name, settings, domain))| {
                trained(&path(format!("{i}-alone-{k}")), name, settings, *domain)
            })
            .collect();
        for own_pools in [true, false] {
            let together: Vec<_> = std::thread::scope(|scope| {
                let path = &path;
                let threads: Vec<_> = pair
                    .iter()
                    .enumerate()
                    .map(|(k, (name, settings, domain))| {
                        let path = path(format!("{i}-together-{k}-{own_pools}"));
                        scope.spawn(move || {
                            let train = || trained(&path, name, settings, *domain);
                            if own_pools {
                                let pool = rayon::ThreadPoolBuilder::new().num_threads(k + 2);
                                pool.build().unwrap().install(train)
                            } else {
                                train()
                            }
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(alone == together, "{pair:?}, own pools {own_pools}");
        }
    }
}
