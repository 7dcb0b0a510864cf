//! Downloads from a server on loopback that misbehaves in every way a mirror can.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use ancestral_test_support::data_dir_with;

use super::*;

const BODY: &[u8] = &[b'x'; 200_000];

fn file() -> Remote {
    let hash: String = Sha256::digest(BODY).iter().map(|b| format!("{b:02x}")).collect();
    Remote { name: "f.bin", bytes: BODY.len() as u64, sha256: hash.leak() }
}

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Answer {
    /// The file, from where it was asked for.
    Good,
    /// The whole file, whatever was asked for.
    IgnoreRange,
    /// The first bytes of what it promised, then the connection is cut.
    Cut(usize),
    /// Fewer bytes than the file has, and says so.
    Short(usize),
    /// Other bytes of the same number.
    Wrong,
    /// More bytes.
    Long,
    /// A part that starts elsewhere.
    OtherPart,
    Status(&'static str),
}

/// Serves the answers one after the other; gives the address and the ranges that were asked for.
fn serve(answers: &'static [Answer]) -> (String, Arc<Mutex<Vec<Option<usize>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut range = None;
            for line in BufReader::new(&stream).lines() {
                let line = line.unwrap_or_default().to_ascii_lowercase();
                if let Some(from) = line.strip_prefix("range: bytes=") {
                    range = from.trim_end_matches('-').parse::<usize>().ok();
                }
                if line.is_empty() {
                    break;
                }
            }
            log.lock().unwrap().push(range);
            let from = range.unwrap_or(0);
            let head = |status: &str, bytes: usize, extra: String| {
                format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {bytes}\r\nConnection: close\r\n{extra}\r\n"
                )
            };
            let partial = |from: usize| {
                let total = BODY.len();
                format!("Content-Range: bytes {from}-{}/{total}\r\n", total - 1)
            };
            let whole = BODY.len() - from;
            let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
            let (head, body) = match *answer {
                Answer::Good => (head(status, whole, partial(from)), BODY[from..].to_vec()),
                Answer::IgnoreRange => (head("200 OK", BODY.len(), String::new()), BODY.to_vec()),
                Answer::Cut(n) => {
                    (head(status, whole, partial(from)), BODY[from..from + n].to_vec())
                }
                Answer::Short(n) => (head(status, n, partial(from)), BODY[..n].to_vec()),
                Answer::Wrong => {
                    (head("200 OK", BODY.len(), String::new()), vec![b'y'; BODY.len()])
                }
                Answer::Long => {
                    (head("200 OK", BODY.len() + 9, String::new()), vec![b'x'; BODY.len() + 9])
                }
                Answer::OtherPart => {
                    (head("206 Partial Content", 10, partial(5)), BODY[..10].to_vec())
                }
                Answer::Status(status) => (head(status, 0, String::new()), Vec::new()),
            };
            // The client may hang up first.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    (url, asked)
}

fn attempt(
    folder: &Path,
    answers: &'static [Answer],
) -> (Result<(), DataError>, Vec<Option<usize>>) {
    let (url, asked) = serve(answers);
    let result = fetch_file(&file(), folder, &[url], &mut |_| {});
    let asked = asked.lock().unwrap().clone();
    (result, asked)
}

/// The file is there, whole, and nothing else is.
fn arrived(folder: &Path) {
    assert_eq!(fs::read(folder.join("f.bin")).unwrap(), BODY);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn a_good_server_and_a_second_call() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("deep/er");
    let (url, _) = serve(&[Answer::Good]);
    let mut last = None;
    let mut seen = Vec::new();
    fetch_file(&file(), &folder, std::slice::from_ref(&url), &mut |p| {
        seen.push(p.done);
        last = Some(p.clone());
    })
    .unwrap();
    arrived(&folder);
    assert!(seen.is_sorted());
    let total = BODY.len() as u64;
    assert_eq!(last, Some(Progress { file: "f.bin".into(), done: total, total }));
    // The server is gone, and not needed.
    fetch_file(&file(), &folder, &[url], &mut |_| {}).unwrap();
}

#[test]
fn a_cut_connection_is_taken_up_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (result, asked) = attempt(dir.path(), &[Answer::Cut(70_000), Answer::Good]);
    result.unwrap();
    arrived(dir.path());
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1], Some(70_000));
}

#[test]
fn an_earlier_run_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let cuts = &[Answer::Cut(50_000), Answer::Cut(10), Answer::Short(10)];
    let (result, asked) = attempt(dir.path(), cuts);
    let text = result.unwrap_err().to_string();
    assert!(text.contains("interrupted after 50020 of 200000"), "{text}");
    assert_eq!(asked, [None, Some(50_000), Some(50_010)]);
    assert!(!dir.path().join("f.bin").exists());
    let (result, asked) = attempt(dir.path(), &[Answer::Good]);
    result.unwrap();
    assert_eq!(asked, [Some(50_020)]);
    arrived(dir.path());
}

#[test]
fn a_server_that_ignores_ranges_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f.bin.part"), &BODY[..1000]).unwrap();
    let (result, asked) = attempt(dir.path(), &[Answer::IgnoreRange]);
    result.unwrap();
    assert_eq!(asked, [Some(1000)]);
    arrived(dir.path());
}

#[test]
fn a_part_that_does_not_fit_is_thrown_away() {
    // Damaged before, continued, found wrong, and loaded once more.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f.bin.part"), [b'z'; 1000]).unwrap();
    let (result, asked) = attempt(dir.path(), &[Answer::Good, Answer::Good]);
    result.unwrap();
    assert_eq!(asked, [Some(1000), None]);
    arrived(dir.path());
    // The server starts elsewhere, or has less than is here.
    for odd in [&[Answer::OtherPart, Answer::Good], &[Answer::Status("416 No"), Answer::Good]] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f.bin.part"), &BODY[..1000]).unwrap();
        attempt(dir.path(), odd).0.unwrap();
        arrived(dir.path());
    }
    // A whole but wrong part.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f.bin.part"), [b'z'; BODY.len()]).unwrap();
    attempt(dir.path(), &[Answer::Good]).0.unwrap();
    arrived(dir.path());
}

#[test]
fn wrong_files_are_refused() {
    for (answers, word) in [
        (&[Answer::Wrong][..], "SHA-256"),
        (&[Answer::Long], "more than the 200000 bytes"),
        (&[Answer::Status("404 Not Found")], "404"),
        (&[Answer::Status("403 Forbidden")], "403"),
        (
            &[Answer::Status("503 Busy"), Answer::Status("503 Busy"), Answer::Status("503 Busy")],
            "503",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (result, _) = attempt(dir.path(), answers);
        let error = result.unwrap_err();
        assert!(matches!(error, DataError::Fetch { .. }));
        assert!(error.to_string().contains(word), "{word}: {error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{word}");
    }
}

#[test]
fn the_next_mirror_is_tried_and_an_old_file_stays_until_then() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("f.bin"), b"old").unwrap();
    let (bad, _) = serve(&[Answer::Wrong]);
    let (gone, _) = serve(&[Answer::Status("404 Not Found")]);
    let error = fetch_file(&file(), dir.path(), &[bad, gone], &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("404") && error.to_string().contains("SHA-256"), "{error}");
    assert_eq!(fs::read(dir.path().join("f.bin")).unwrap(), b"old");
    let (gone, _) = serve(&[Answer::Status("404 Not Found")]);
    let (good, _) = serve(&[Answer::Good]);
    fetch_file(&file(), dir.path(), &[gone, good], &mut |_| {}).unwrap();
    arrived(dir.path());
}

#[test]
fn no_server_and_no_such_set() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = fetch("mnist", dir.path(), &[url], &mut |_| {}).unwrap_err();
    assert!(matches!(error, DataError::Fetch { .. }), "{error}");
    let error = fetch("emnist", dir.path(), &[], &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("fashion-mnist"), "{error}");
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let mirrors = ["https://127.0.0.1:9".to_owned()];
    let error = fetch_file(&file(), dir.path(), &mirrors, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("requires HTTPS"), "{error}");
    let DataError::Fetch { needs_tls, file, .. } = error else { panic!("{error}") };
    assert!(needs_tls && file.ends_with("f.bin"), "{}", file.display());
}

#[cfg(not(feature = "tls"))]
#[test]
fn a_redirection_to_https_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let secure = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("302 Found\r\nLocation: https://{}/", secure.local_addr().unwrap());
    let answers: &'static [Answer] = vec![Answer::Status(to.leak())].leak();
    let error = attempt(dir.path(), answers).0.unwrap_err();
    assert!(error.to_string().contains("requires HTTPS"), "{error}");
    let DataError::Fetch { needs_tls, file, .. } = error else { panic!("{error}") };
    assert!(needs_tls && file.ends_with("f.bin"), "{}", file.display());
}

/// The pinned hashes are those of the files in the data folder, as published or packed.
#[test]
fn pinned_hashes_are_those_of_the_real_files() {
    for source in &SOURCES {
        let Some(dir) = data_dir_with(source.set) else { continue };
        for file in source.files {
            let mut path = dir.join(source.set).join(file.name);
            let unpacked = tempfile::NamedTempFile::new().unwrap();
            if !path.is_file() {
                let packed = File::open(format!("{}.gz", path.display()));
                let mut packed = flate2::read::GzDecoder::new(packed.unwrap());
                std::io::copy(&mut packed, &mut unpacked.as_file()).unwrap();
                path = unpacked.path().to_owned();
            }
            assert_eq!(sha256_of(&path).unwrap(), file.sha256, "{}", file.name);
            assert_eq!(fs::metadata(&path).unwrap().len(), file.bytes);
        }
    }
}

#[test]
fn sets_without_a_mirror_say_where_their_files_go() {
    let dir = Path::new("there");
    for (name, files, folder) in [
        ("adult", "adult.{train,valid,test}.data.gz", "density_estimation/adult"),
        ("plants", "plants.{train,valid,test}.data.gz", "density_estimation/plants"),
        ("omniglot", "background,evaluation}-images-idx3-ubyte.gz", "omniglot"),
        ("red-wine", "red_wine_folds.csv", "red_wine"),
    ] {
        let text = fetch(name, dir, &[], &mut |_| {}).unwrap_err().to_string();
        let folder = dir.join(folder).display().to_string();
        for word in [name, "no public mirror", files, &folder] {
            assert!(text.contains(word), "'{word}' is not in: {text}");
        }
    }
}

/// Whatever operation is the last before a kill, or fails, the next attempt has the whole file.
#[test]
fn every_operation_of_a_download_may_be_the_last_or_fail() {
    use crate::disk::faults;
    use std::cell::Cell;
    use std::rc::Rc;

    static GOOD: [Answer; 4] = [Answer::Good; 4];
    let attempt = |folder: &Path, fault: Option<(u8, usize)>| {
        let made = Rc::new(Cell::new(0));
        let (seen, mut dead) = (Rc::clone(&made), false);
        let told = move |operation: &faults::Operation<'_>| {
            let number = seen.replace(seen.get() + 1);
            let Some((kind, at)) = fault else { return Ok(()) };
            if dead || number == at {
                if let (false, faults::Operation::Write(path, bytes)) = (dead, operation) {
                    let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
                    file.write_all(&bytes[..bytes.len() / 2]).unwrap();
                }
                dead = kind == 0;
                return Err(match kind {
                    1 => std::io::ErrorKind::StorageFull.into(),
                    2 => std::io::Error::from_raw_os_error(5),
                    _ => std::io::Error::other("killed"),
                });
            }
            Ok(())
        };
        let result = faults::with(told, || super::tests::attempt(folder, &GOOD).0);
        (result, made.get())
    };
    let dir = tempfile::tempdir().unwrap();
    let (done, operations) = attempt(&dir.path().join("set"), None);
    done.unwrap();
    for at in 0..operations {
        for kind in 0..3 {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("set");
            let (done, made) = attempt(&folder, Some((kind, at)));
            // The body may come in fewer pieces than before, and be whole by then.
            assert!(done.is_err() || made <= at, "fault {kind} at {at} went unnoticed");
            if folder.join("f.bin").exists() {
                assert_eq!(fs::read(folder.join("f.bin")).unwrap(), BODY);
            }
            attempt(&folder, None).0.unwrap();
            arrived(&folder);
        }
    }
    println!("fetch: {operations} operations, {} points", 3 * operations);
}
