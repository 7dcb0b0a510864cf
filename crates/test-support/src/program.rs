//! The program under test, as a user runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A program that is run in a temporary folder of its own, by lines of words with single spaces.
pub struct Program {
    file: PathBuf,
    folder: TempDir,
}

impl Program {
    /// A program by its file, with a new folder.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), folder: tempfile::tempdir().unwrap() }
    }

    /// The folder that it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of a file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// The program with arguments, ready to be run.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.file);
        command.current_dir(self.folder()).args(line.split_whitespace());
        command
    }

    /// Runs it.
    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What it prints when all goes well.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn good(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The object that it prints with `--json`.
    ///
    /// # Panics
    /// If it fails, or prints anything else.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        let said = self.good(&format!("{line} --json"));
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{line}: {e}: {said}"))
    }

    /// What it says of wrong usage, which has the exit code 2.
    ///
    /// # Panics
    /// If it ends otherwise, panics, or does not say `words`.
    #[track_caller]
    pub fn bad(&self, line: &str, words: &str) -> String {
        let output = self.run(line);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{line}: {said}");
        assert!(said.contains(words), "{line}: {said}");
        said
    }

    /// Writes a file of its folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The text of a file of its folder.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// The bytes of a file of its folder.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

/// What a program says of errors.
///
/// # Panics
/// If it panicked.
#[track_caller]
pub fn errors(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("panicked") && !said.contains("backtrace"), "{said}");
    said
}

/// Copies a folder and those in it.
///
/// # Panics
/// If it cannot be read.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let entries = std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &copied);
        } else {
            std::fs::copy(&path, &copied).unwrap();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_heard_where_it_runs() {
        let shell = Program::new("sh");
        shell.write("good.sh", "cat given; test $1 = --json && echo '{\"a\": 1}'");
        shell.write("bad.sh", "echo wrong >&2; exit $1");
        shell.write("given", " ");
        assert_eq!(shell.json("good.sh")["a"], 1);
        assert_eq!(shell.good("good.sh --json"), " {\"a\": 1}\n");
        assert_eq!(shell.bad("bad.sh 2", "wro"), "wrong\n");
        for (line, words) in [("bad.sh 2", "right"), ("bad.sh 1", "wrong"), ("bad.sh 0", "wrong")] {
            let bad = std::panic::AssertUnwindSafe(|| shell.bad(line, words));
            assert!(std::panic::catch_unwind(bad).is_err(), "{line}");
        }
        shell.write("panics.sh", "echo thread panicked >&2; exit 2");
        let panics = std::panic::AssertUnwindSafe(|| shell.bad("panics.sh", "thread"));
        assert!(std::panic::catch_unwind(panics).is_err());
    }
}
