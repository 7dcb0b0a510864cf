//! The mirrors of known sets, with the hash of each file.

/// A published file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) sha256: &'static str,
}

pub(crate) struct Source {
    pub(crate) set: &'static str,
    /// Without scheme: HTTP, or HTTPS where it is built in.
    pub(crate) mirrors: &'static [&'static str],
    pub(crate) files: &'static [Remote],
}

const fn remote(name: &'static str, bytes: u64, sha256: &'static str) -> Remote {
    Remote { name, bytes, sha256 }
}

pub(crate) const SOURCES: [Source; 4] = [
    Source {
        set: "mnist",
        mirrors: &[
            "storage.googleapis.com/cvdf-datasets/mnist",
            "ossci-datasets.s3.amazonaws.com/mnist",
        ],
        files: &[
            remote(
                "train-images-idx3-ubyte.gz",
                9_912_422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            remote(
                "train-labels-idx1-ubyte.gz",
                28_881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            remote(
                "t10k-images-idx3-ubyte.gz",
                1_648_877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            remote(
                "t10k-labels-idx1-ubyte.gz",
                4_542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ],
    },
    Source {
        set: "fashion-mnist",
        mirrors: &["fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
        files: &[
            remote(
                "train-images-idx3-ubyte.gz",
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            remote(
                "train-labels-idx1-ubyte.gz",
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            remote(
                "t10k-images-idx3-ubyte.gz",
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            remote(
                "t10k-labels-idx1-ubyte.gz",
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ],
    },
    Source {
        set: "binarized-mnist",
        mirrors: &["www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"],
        files: &[
            remote(
                "binarized_mnist_train.amat",
                78_400_000,
                "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
            ),
            remote(
                "binarized_mnist_valid.amat",
                15_680_000,
                "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
            ),
            remote(
                "binarized_mnist_test.amat",
                15_680_000,
                "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
            ),
        ],
    },
    Source {
        set: "cifar10",
        mirrors: &["www.cs.toronto.edu/~kriz"],
        // The source publishes an MD5 only (c32a1d4ab5d03f1284b67883e8d87530); this SHA-256 is the
        // one that other libraries pin for the same file.
        files: &[remote(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        )],
    },
];

/// Whether a known set can be downloaded.
pub(crate) fn is_fetchable(set: &str) -> bool {
    SOURCES.iter().any(|source| source.set == set)
}
