//! Power losses, by replaying a log of operations without what was not synced.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ancestral_data::disk::faults::Operation;

/// An operation on paths within the folder.
enum Made {
    Folder(PathBuf),
    Create(PathBuf),
    Append(PathBuf),
    Write(PathBuf, Vec<u8>),
    Truncate(PathBuf, u64),
    Sync(PathBuf),
    SyncFolder(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// A file: what was written, and what of it is on the disk.
#[derive(Clone, Default)]
struct Content {
    written: Vec<u8>,
    synced: Vec<u8>,
}

/// Names and what they lead to: a folder, or a file by its number.
type Names = BTreeMap<PathBuf, Option<usize>>;

/// A folder as it was, and the operations in it since.
pub(crate) struct Power {
    root: PathBuf,
    names: Names,
    files: Vec<Content>,
    made: Rc<RefCell<Vec<Made>>>,
}

impl Power {
    /// What is in the folder now is on the disk.
    pub(crate) fn new(root: &Path) -> Self {
        let mut power = Self {
            root: root.to_owned(),
            names: Names::new(),
            files: Vec::new(),
            made: Rc::default(),
        };
        power.add(root);
        power
    }

    fn add(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let inside = path.strip_prefix(&self.root).unwrap().to_owned();
            if path.is_dir() {
                self.names.insert(inside, None);
                self.add(&path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                self.names.insert(inside, Some(self.files.len()));
                self.files.push(Content { written: bytes.clone(), synced: bytes });
            }
        }
    }

    /// What operations are told to.
    pub(crate) fn log(&self) -> impl FnMut(&Operation<'_>) -> io::Result<()> + 'static {
        let (root, made) = (self.root.clone(), Rc::clone(&self.made));
        move |operation| {
            let inside = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_owned();
            made.borrow_mut().push(match *operation {
                Operation::Folder(path) => Made::Folder(inside(path)),
                Operation::Create(path) => Made::Create(inside(path)),
                Operation::Append(path) | Operation::Lock(path) => Made::Append(inside(path)),
                Operation::Write(path, bytes) => Made::Write(inside(path), bytes.to_vec()),
                Operation::Truncate(path, length) => Made::Truncate(inside(path), length),
                Operation::Sync(path) => Made::Sync(inside(path)),
                Operation::SyncFolder(path) => Made::SyncFolder(inside(path)),
                Operation::Rename(from, to) => Made::Rename(inside(from), inside(to)),
                Operation::Remove(path) => Made::Remove(inside(path)),
            });
            Ok(())
        }
    }

    /// The number of operations so far.
    pub(crate) fn operations(&self) -> usize {
        self.made.borrow().len()
    }

    /// Writes what a power loss after some operations leaves: of files what was synced, under the names
    /// that they had or, with `names_too`, under those that were synced with their folder.
    pub(crate) fn restore(&self, operations: usize, names_too: bool, to: &Path) {
        let (mut names, mut files) = (self.names.clone(), self.files.clone());
        let mut durable = names.clone();
        for made in &self.made.borrow()[..operations] {
            let mut of = |names: &mut Names, path: &Path| {
                *names.entry(path.to_owned()).or_insert_with(|| {
                    files.push(Content::default());
                    Some(files.len() - 1)
                })
            };
            match made {
                Made::Folder(path) => {
                    for above in path.ancestors().filter(|path| !path.as_os_str().is_empty()) {
                        names.entry(above.to_owned()).or_insert(None);
                    }
                }
                Made::Create(path) => {
                    names.remove(path);
                    of(&mut names, path);
                }
                Made::Append(path) => drop(of(&mut names, path)),
                Made::Write(path, bytes) => {
                    let file = of(&mut names, path).unwrap();
                    files[file].written.extend(bytes);
                }
                Made::Truncate(path, length) => {
                    let file = of(&mut names, path).unwrap();
                    files[file].written.truncate(*length as usize);
                }
                Made::Sync(path) => {
                    let file = of(&mut names, path).unwrap();
                    files[file].synced = files[file].written.clone();
                }
                Made::SyncFolder(folder) => {
                    let within = |path: &PathBuf| path.parent() == Some(folder);
                    // What is gone from the folder is gone with all that was in it.
                    durable.retain(|path, _| {
                        let own = path.ancestors().find(|path| within(&path.to_path_buf()));
                        own.is_none_or(|own| names.contains_key(own))
                    });
                    for (path, what) in names.iter().filter(|(path, _)| within(path)) {
                        durable.insert(path.clone(), *what);
                    }
                }
                Made::Rename(from, to) => {
                    let moved = |path: &PathBuf| {
                        let rest = path.strip_prefix(from).ok()?;
                        Some(if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) })
                    };
                    // A folder takes along what is in it, which needs no other sync.
                    if names.get(from) == Some(&None) {
                        let inside: Vec<_> = durable
                            .iter()
                            .filter(|(path, _)| *path != from && path.starts_with(from))
                            .filter_map(|(path, what)| Some((moved(path)?, *what)))
                            .collect();
                        durable.extend(inside);
                    }
                    names = names
                        .into_iter()
                        .filter(|(path, _)| path != to)
                        .map(|(path, what)| (moved(&path).unwrap_or(path), what))
                        .collect();
                }
                Made::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
            }
        }
        for (path, what) in if names_too { &durable } else { &names } {
            // A name is reachable by those of the folders above it.
            let above = path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty());
            let there = if names_too { &durable } else { &names };
            if !above.into_iter().all(|above| there.get(above) == Some(&None)) {
                continue;
            }
            match what {
                None => std::fs::create_dir_all(to.join(path)).unwrap(),
                Some(file) => std::fs::write(to.join(path), &files[*file].synced).unwrap(),
            }
        }
    }
}
