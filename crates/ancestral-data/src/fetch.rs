//! Downloading known sets from their public mirrors.
//!
//! A file is written as `NAME.part`, resumed after an interruption, and renamed once its SHA-256 is
//! the pinned one; integrity rests on the hash, so that plain HTTP suffices.
//! HTTPS needs the cargo feature `tls`, which needs a C compiler.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use crate::disk::{self, Raw, remove_if_there as remove};
use crate::sources::{Remote, SOURCES};
use crate::{DataError, known};

/// The progress of a download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The file, by its name in the set.
    pub file: String,
    /// Its bytes so far, including those of earlier attempts.
    pub done: u64,
    /// Its size in bytes.
    pub total: u64,
}

const TRIES: usize = 3;

/// Downloads a known set into its folder in the data folder, and returns that folder.
///
/// Existing files are verified and kept.
/// `mirrors` replaces the public ones if it is not empty: URLs to which a file's name is appended.
///
/// # Errors
/// If the set cannot be downloaded, no mirror has a file with the pinned hash, or the disk cannot
/// be written. Partial files are kept for the next attempt unless they are wrong.
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
    disk::create_folders(folder).map_err(|e| DataError::io("create folder", folder, e))?;
    let part = folder.join(format!("{}.part", file.name));
    let (mut problems, mut needs_tls) = (Vec::new(), false);
    for mirror in mirrors {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), file.name);
        match from_mirror(file, &url, &part, progress) {
            Ok(()) => {
                let renamed = disk::rename(&part, &path).and_then(|()| disk::sync_folder(folder));
                return renamed.map_err(|e| DataError::io("rename", &part, e));
            }
            Err(DataError::Fetch { url, problem, needs_tls: tls, .. }) => {
                needs_tls |= tls;
                problems.push((url, problem));
            }
            // An error of the disk, for which another mirror would not help.
            Err(other) => return Err(other),
        }
    }
    let (url, mut problem) = problems.pop().unwrap_or((file.name.into(), "no mirror".into()));
    for (other, why) in problems {
        problem.push_str(&format!("; before that, from {other}: {why}"));
    }
    Err(DataError::Fetch { url, problem, needs_tls, file: path })
}

fn report(file: &Remote, done: u64, progress: &mut dyn FnMut(&Progress)) {
    progress(&Progress { file: file.name.into(), done, total: file.bytes });
}

/// The error of a download; [`fetch_file`] adds the path.
fn failure(file: &Remote, url: &str, problem: String, needs_tls: bool) -> DataError {
    DataError::Fetch { url: url.into(), problem, needs_tls, file: file.name.into() }
}

/// Completes the partial file and verifies it.
fn from_mirror(
    file: &Remote,
    url: &str,
    part: &Path,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(), DataError> {
    let failed = |problem: String| failure(file, url, problem, false);
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
        // A wrong file cannot be resumed; if a part came from an earlier attempt, start over once.
        remove(part)?;
        last = format!(
            "its SHA-256 is {found}; expected {} (it was deleted; the mirror, or a server on the \
             way, gives another file)",
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
    let failed = |problem: String| failure(file, url, problem, false);
    let no_tls = || {
        let problem = "the server requires HTTPS, and this build lacks the feature tls";
        failure(file, url, problem.to_owned(), true)
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
    // Localhost is never behind a proxy.
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
        // A redirection can lead to localhost, too.
        Err(ureq::Error::TlsRequired | ureq::Error::Tls(_)) => return Err(no_tls()),
        Err(e @ (ureq::Error::HostNotFound | ureq::Error::ConnectionFailed)) => {
            return Err(failed(format!("{e}; check the network connection")));
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
            return Ok(Outcome::Interrupted(
                "the server has fewer bytes than have arrived already".into(),
            ));
        }
        StatusCode::NOT_FOUND => return Err(failed("the file is not there (404)".into())),
        _ if status.is_server_error() => {
            return Ok(Outcome::Interrupted(format!("the server answered {status}")));
        }
        _ => return Err(failed(format!("the server answered {status}; expected 200"))),
    };
    let opened = if from > 0 { Raw::append(part) } else { Raw::create(part) };
    let mut out = opened.map_err(|e| DataError::io("create", part, e))?;
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
    out.sync().map_err(|e| DataError::io("write", part, e))?;
    if done < file.bytes {
        let why = stopped.unwrap_or_else(|| "the server closed the connection".into());
        return Ok(Outcome::Interrupted(format!(
            "interrupted after {done} of {} bytes ({why}); what has arrived is kept, so try again",
            file.bytes
        )));
    }
    Ok(Outcome::Complete)
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
