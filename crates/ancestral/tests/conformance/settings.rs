//! Settings: what is refused, and how it is said.

use ancestral::model::Init;
use ancestral::spec::cpu;
use ancestral::train::TrainConfig;
use ancestral_data::Domain;

use crate::cases::{data, find, spec};

#[test]
fn bad_settings_are_errors_that_name_the_setting() {
    for (model, text, expected) in [
        ("vae", "latent_dims = []", "latent_dims"),
        ("vae", "latent_dims = [0]", "latent_dims"),
        ("vae", "hidden = [[8], [8]]", "hidden"),
        ("vae", "activation = 'sin'", "activation"),
        ("vae", "likelihood = 'gaussian'", "likelihood"),
        ("vae", "beta = -1.0", "beta"),
        ("vae", "beta = nan", "beta"),
        ("vae", "importance_samples = 0", "importance_samples"),
        ("vae", "importance_samples = 2\nbeta = 2.0", "importance_samples"),
        ("vae", "free_bits = -0.1", "free_bits"),
        ("vae", "channels = [4]", "channels"),
        ("vae", "doubly_reparameterised = true", "doubly_reparameterized"),
        ("vae", "latent_dimz = 3", "did you mean 'latent_dims'"),
        ("ae", "latent_dim = 0", "latent_dims"),
        ("ae", "hidden = [0]", "hidden"),
        ("ae", "loss = 'cubic'", "loss"),
        ("ae", "corruption = 'salt'", "corruption"),
        ("ae", "corruption = 'masking'\nnoise = 1.0", "noise"),
        ("ae", "noise = nan", "noise"),
        ("nade", "hidden = 0", "hidden"),
        ("nade", "order = 'spiral'", "order"),
        ("nade", "hiden = 3", "did you mean 'hidden'"),
        ("deep-nade", "hidden = []", "hidden"),
        ("deep-nade", "hidden = [0]", "hidden"),
        ("deep-nade", "activation = 'leaky-relu'", "activation"),
        ("deep-nade", "every_conditional = true", "every_conditional"),
        ("deep-nade", "components = 0", "components"),
        ("made", "hidden = [0]", "hidden"),
        ("made", "hidden = []", "direct"),
        ("made", "activation = 'sin'", "activation"),
        ("fvsbn", "order = 'spiral'", "order"),
        ("rnade", "components = 0", "components"),
        ("rnade", "family = 'cauchy'", "family"),
        ("rnade", "hidden = 3", "takes real columns"),
        ("features", "dim = 0", "dim"),
        ("features", "dropout = 1.0", "dropout"),
        ("features", "activation = 'sin'", "activation"),
        ("features", "channels = [4]", "channels"),
        ("gaussian", "covariance = 'round'", "covariance"),
        ("gaussian", "variance_floor = -1.0", "variance_floor"),
        ("bernoulli", "pseudo_count = -1.0", "pseudo_count"),
    ] {
        let entry = find(model);
        let data = data(Domain::Binary);
        let result = (entry.build)(&text.parse().unwrap(), &spec(&data), &Init::new(&cpu(), 0));
        let error = result.err().unwrap_or_else(|| panic!("{model}: {text} was taken"));
        assert!(error.to_string().contains(expected), "{model}: {text}: {error}");
    }
    for (text, expected) in [
        ("batch_size = 0", "batch_size"),
        ("learning_rate = 0.0", "learning_rate"),
        ("learning_rate = inf", "learning_rate"),
        ("beta1 = 1.0", "beta1"),
        ("epochs = 0", "epochs"),
        ("optimiser = 'adamm'", "optimizer"),
        ("step_gamma = nan", "step_gamma"),
        ("seconds = inf", "seconds"),
        ("optimiser = 'adadelta'\nepsilon = 0.0", "epsilon"),
        ("schedule = 'cosin'", "schedule"),
        ("schedule = 'inverse'\ninverse_decay = -0.1", "inverse_decay"),
        ("inverse_decay = nan", "inverse_decay"),
        ("average_decay = 1.0", "average_decay"),
    ] {
        let error = TrainConfig::parse(&text.parse().unwrap()).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}
