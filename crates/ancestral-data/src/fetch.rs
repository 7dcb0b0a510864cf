//! Downloading known sets from their public mirrors.
//!
//! A file grows under `NAME.part`, is taken up again where it stopped, and gets its name only once
//! its SHA-256 is the pinned one: integrity rests on the hash, so plain HTTP serves.
//! HTTPS needs the cargo feature `tls`, which needs a C compiler.

use std::fs::{self, File, OpenOptions as FileOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use crate::{DataError, known};

/// How far a download has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The file, by its name in the set.
    pub file: String,
    /// Its bytes so far, those of an earlier try included.
    pub done: u64,
    /// Its bytes in all.
    pub total: u64,
}

/// A published file.
#[derive(Debug, Clone, Copy)]
struct Remote {
    name: &'static str,
    bytes: u64,
    sha256: &'static str,
}

struct Source {
    set: &'static str,
    /// Without scheme: HTTP, or HTTPS where it is built in.
    mirrors: &'static [&'static str],
    files: &'static [Remote],
}

const fn remote(name: &'static str, bytes: u64, sha256: &'static str) -> Remote {
    Remote { name, bytes, sha256 }
}

const SOURCES: [Source; 4] = [
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
        // Its page publishes an MD5 only (c32a1d4ab5d03f1284b67883e8d87530); this SHA-256 is the
        // one that other libraries pin for the same file.
        files: &[remote(
            "cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        )],
    },
];

const TRIES: usize = 3;

pub(crate) fn is_fetchable(set: &str) -> bool {
    SOURCES.iter().any(|source| source.set == set)
}

/// Downloads a known set into its folder in the data folder, and says where that is.
///
/// Files that are there already are checked and kept.
/// `mirrors` replaces the public ones if it is not empty: addresses with scheme, to which a file's
/// name is added.
///
/// # Errors
/// If the set is not one to download, no mirror gives what its hash promises, or the disk refuses.
/// What has come so far is kept for the next try unless it is wrong.
pub fn fetch(
    name: &str,
    data_dir: &Path,
    mirrors: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<PathBuf, DataError> {
    let source = SOURCES.iter().find(|source| source.set == name).ok_or_else(|| {
        let known: Vec<&str> = SOURCES.iter().map(|source| source.set).collect();
        let instead = match known::find(name) {
            Some(set) => format!(
                "no public mirror is known; put {} into {}",
                set.files(),
                data_dir.join(set.folder).display()
            ),
            None if known::is_known(name) => "it needs no files".to_owned(),
            None => format!("those that can are {}", known.join(", ")),
        };
        DataError::Unsuitable(format!("{name} cannot be downloaded by name; {instead}"))
    })?;
    let folder = data_dir.join(known::find(name).map_or(name, |set| set.folder));
    let public: Vec<String>;
    let mirrors = if mirrors.is_empty() {
        let scheme = if cfg!(feature = "tls") { "https" } else { "http" };
        public = source.mirrors.iter().map(|mirror| format!("{scheme}://{mirror}")).collect();
        &public
    } else {
        mirrors
    };
    for file in source.files {
        fetch_file(file, &folder, mirrors, progress)?;
    }
    Ok(folder)
}

fn fetch_file(
    file: &Remote,
    folder: &Path,
    mirrors: &[String],
    progress: &mut dyn FnMut(&Progress),
) -> Result<(), DataError> {
    let path = folder.join(file.name);
    if path.is_file() && sha256_of(&path)? == file.sha256 {
        report(file, file.bytes, progress);
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(|e| DataError::io("create folder", folder, e))?;
    let part = folder.join(format!("{}.part", file.name));
    let mut problems = Vec::new();
    for mirror in mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        match from_mirror(file, &url, &part, progress) {
            Ok(()) => {
                fs::rename(&part, &path).map_err(|e| DataError::io("rename", &part, e))?;
                return Ok(());
            }
            Err(DataError::Fetch { url, problem }) => problems.push((url, problem)),
            // The disk is at fault; another mirror would not help.
            Err(other) => return Err(other),
        }
    }
    let (url, mut problem) = problems.pop().unwrap_or((file.name.into(), "no mirror".into()));
    for (other, why) in problems {
        problem.push_str(&format!("; before that, from {other}: {why}"));
    }
    Err(DataError::Fetch { url, problem })
}

fn report(file: &Remote, done: u64, progress: &mut dyn FnMut(&Progress)) {
    progress(&Progress { file: file.name.into(), done, total: file.bytes });
}

/// Brings the part to its full and right content.
fn from_mirror(
    file: &Remote,
    url: &str,
    part: &Path,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(), DataError> {
    let failed = |problem: String| DataError::Fetch { url: url.into(), problem };
    let mut last = String::new();
    for _ in 0..TRIES {
        let have = fs::metadata(part).map_or(0, |meta| meta.len());
        if have < file.bytes {
            match download(file, url, part, have, progress)? {
                Outcome::Complete => {}
                Outcome::Interrupted(why) => {
                    last = why;
                    continue;
                }
            }
        }
        let found = sha256_of(part)?;
        if found == file.sha256 {
            return Ok(());
        }
        // What is wrong cannot be continued. If some of it came earlier, that may be the fault.
        fs::remove_file(part).map_err(|e| DataError::io("remove", part, e))?;
        last = format!(
            "its SHA-256 is {found}; expected {} (it was thrown away; the mirror, or something on \
             the way, gives another file)",
            file.sha256
        );
        if have == 0 {
            return Err(failed(last));
        }
    }
    Err(failed(last))
}

enum Outcome {
    Complete,
    Interrupted(String),
}

fn download(
    file: &Remote,
    url: &str,
    part: &Path,
    have: u64,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Outcome, DataError> {
    let failed = |problem: String| DataError::Fetch { url: url.into(), problem };
    let no_tls = || {
        failed(format!(
            "the server wants HTTPS, which this build leaves out; build with '--features tls', or \
             put {} into the folder of {} yourself",
            file.name,
            part.display()
        ))
    };
    if url.starts_with("https:") && !cfg!(feature = "tls") {
        return Err(no_tls());
    }
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)))
        .user_agent(concat!("ancestral/", env!("CARGO_PKG_VERSION")));
    // This machine is never behind a proxy.
    if url.starts_with("http://127.0.0.1") {
        config = config.proxy(None);
    }
    let agent: ureq::Agent = config.build().into();
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let mut response = match request.call() {
        Ok(response) => response,
        // A redirection can lead there, too.
        Err(ureq::Error::TlsRequired | ureq::Error::Tls(_)) => return Err(no_tls()),
        Err(e @ (ureq::Error::HostNotFound | ureq::Error::ConnectionFailed)) => {
            return Err(failed(format!("{e}; is there a network?")));
        }
        Err(e) => return Ok(Outcome::Interrupted(e.to_string())),
    };
    let status = response.status();
    let from = match status {
        StatusCode::OK => 0,
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get("content-range").and_then(|v| v.to_str().ok());
            let start = range
                .and_then(|r| r.strip_prefix("bytes "))
                .and_then(|r| r.split('-').next()?.parse::<u64>().ok());
            if start != Some(have) {
                remove(part)?;
                return Ok(Outcome::Interrupted(format!(
                    "the server continued at {start:?}; expected {have}"
                )));
            }
            have
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            remove(part)?;
            return Ok(Outcome::Interrupted("the server has fewer bytes than are here".into()));
        }
        StatusCode::NOT_FOUND => return Err(failed("it is not there (404)".into())),
        _ if status.is_server_error() => {
            return Ok(Outcome::Interrupted(format!("the server answered {status}")));
        }
        _ => return Err(failed(format!("the server answered {status}; expected 200"))),
    };
    let mut out = FileOptions::new()
        .create(true)
        .write(true)
        .append(from > 0)
        .truncate(from == 0)
        .open(part)
        .map_err(|e| DataError::io("create", part, e))?;
    let mut done = from;
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 1 << 16];
    let stopped = loop {
        report(file, done, progress);
        let n = match body.read(&mut buffer) {
            Ok(0) => break None,
            Ok(n) => n,
            Err(e) => break Some(e.to_string()),
        };
        done += n as u64;
        if done > file.bytes {
            drop(out);
            remove(part)?;
            return Err(failed(format!(
                "more than the {} bytes expected; the mirror gives another file",
                file.bytes
            )));
        }
        out.write_all(&buffer[..n]).map_err(|e| DataError::io("write", part, e))?;
    };
    out.sync_all().map_err(|e| DataError::io("write", part, e))?;
    if done < file.bytes {
        let why = stopped.unwrap_or_else(|| "the server ended it".into());
        return Ok(Outcome::Interrupted(format!(
            "interrupted after {done} of {} bytes ({why}); what is here is kept, so try again",
            file.bytes
        )));
    }
    Ok(Outcome::Complete)
}

fn remove(path: &Path) -> Result<(), DataError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(DataError::io("remove", path, e)),
        _ => Ok(()),
    }
}

fn sha256_of(path: &Path) -> Result<String, DataError> {
    let failed = |e| DataError::io("read", path, e);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hash.update(&buffer[..n]);
    }
}

#[cfg(test)]
mod tests;
