//! The memory that is available to this process.
//!
//! It is the least of the free memory of the system, the limits of the process's control groups and the
//! limit on its address space, read from `/proc` on Linux.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes available to this process; `None` if unknown.
pub fn available() -> Option<u64> {
    available_under(Path::new("/"))
}

/// [`available`] for a file system that begins at `root`.
fn available_under(root: &Path) -> Option<u64> {
    let read = |path: &str| fs::read_to_string(root.join(path)).ok();
    let machine = read("proc/meminfo").and_then(|text| kibibytes(&text, "MemAvailable"));
    let process = read("proc/self/limits").zip(read("proc/self/status"));
    let process = process.and_then(|(limits, status)| left_of_limits(&limits, &status));
    let groups = read("proc/self/cgroup").zip(read("proc/self/mountinfo"));
    let groups = groups.and_then(|(groups, mounts)| left_of_groups(root, &groups, &mounts));
    [machine, process, groups].into_iter().flatten().min()
}

/// The bytes of a line `name: 123 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(number.saturating_mul(1024))
}

/// This fraction (1 / GAPS) of the remaining address space is reserved for stacks, for the
/// allocator and for gaps.
const GAPS: u64 = 8;

/// The memory left below the soft limits of address space and of data.
fn left_of_limits(limits: &str, status: &str) -> Option<u64> {
    let left = |limit: &str, used: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(limit))?;
        // "unlimited" does not parse.
        let most: u64 = line.split_whitespace().next()?.parse().ok()?;
        let left = most.saturating_sub(kibibytes(status, used)?);
        Some(left - left / GAPS)
    };
    let all = [left("Max address space", "VmSize"), left("Max data size", "VmData")];
    all.into_iter().flatten().min()
}

/// The files of a version of control groups.
struct GroupFiles {
    most: &'static str,
    used: &'static str,
    /// Keys of `memory.stat`: file pages, which the system can reclaim.
    files: [&'static str; 2],
}

const VERSION_1: GroupFiles = GroupFiles {
    most: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    files: ["total_inactive_file", "total_active_file"],
};
const VERSION_2: GroupFiles = GroupFiles {
    most: "memory.max",
    used: "memory.current",
    files: ["inactive_file", "active_file"],
};

/// The memory left in the control groups of the process, from its own to the root.
fn left_of_groups(root: &Path, groups: &str, mounts: &str) -> Option<u64> {
    let left = groups.lines().filter_map(|line| {
        // number:controllers:path; version 2 has one line without controllers.
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (kind, files) = match controllers {
            "" => ("cgroup2", &VERSION_2),
            _ if controllers.split(',').any(|c| c == "memory") => ("cgroup", &VERSION_1),
            _ => return None,
        };
        let (mount, path) = mounts.lines().find_map(|line| mounted(line, kind, path))?;
        let top = root.join(mount.trim_start_matches('/'));
        let own = top.join(path);
        let above = own.ancestors().take_while(|folder| folder.starts_with(&top));
        above.filter_map(|folder| left_of_group(folder, files)).min()
    });
    left.min()
}

/// Where a line of `mountinfo` shows the group `path`: the mount point and the path below it.
fn mounted(line: &str, kind: &str, path: &str) -> Option<(String, PathBuf)> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut file_system = file_system.split(' ');
    if file_system.next()? != kind {
        return None;
    }
    // Version 1 has a mount for each controller, which the last field names.
    let controllers = file_system.next_back()?;
    if kind == "cgroup" && !controllers.split(',').any(|c| c == "memory") {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    let (shown, point) = (fields.next()?, fields.next()?);
    // In a container the mount shows a group below the root, which may be the process's own.
    let below = Path::new(path).strip_prefix(shown).unwrap_or(Path::new(""));
    Some((point.to_owned(), below.to_owned()))
}

/// The memory left in a group, if it has a limit.
fn left_of_group(folder: &Path, files: &GroupFiles) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
    let number = |name: &str| read(name)?.trim().parse::<u64>().ok();
    // "max" does not parse.
    let (most, used) = (number(files.most)?, number(files.used)?);
    let stat = read("memory.stat").unwrap_or_default();
    let of = |key: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let given_up = of(files.files[0]).saturating_add(of(files.files[1]));
    Some(most.saturating_sub(used.saturating_sub(given_up)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system that holds these files.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn found(files: &[(&str, &str)]) -> Option<u64> {
        available_under(system(files).path())
    }

    const MEMORY: (&str, &str) =
        ("proc/meminfo", "MemTotal:  24000 kB\nMemFree: 10 kB\nMemAvailable:    9000 kB\n");
    const STATUS: (&str, &str) = (
        "proc/self/status",
        "Name:\tancestral\nVmPeak:\t 900 kB\nVmSize:\t 700 kB\nVmData:\t 100 kB\n",
    );

    fn limits(space: &str, data: &str) -> String {
        format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max data size             {data}               unlimited            bytes     \n\
             Max address space         {space}              unlimited            bytes     \n"
        )
    }

    #[test]
    fn nothing_is_known_of_other_systems() {
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn the_machine_and_the_limits_of_the_process_bound_it() {
        assert_eq!(found(&[MEMORY]), Some(9_216_000));
        let free = limits("unlimited", "unlimited");
        assert_eq!(found(&[MEMORY, STATUS, ("proc/self/limits", &free)]), Some(9_216_000));
        let held = limits("4096000", "unlimited");
        let held = ("proc/self/limits", held.as_str());
        assert_eq!(found(&[MEMORY, STATUS, held]), Some((4_096_000 - 716_800) / 8 * 7));
        let held = limits("4096000", "182400");
        assert_eq!(found(&[STATUS, ("proc/self/limits", &held)]), Some(70_000));
        // More in use than is allowed.
        let held = limits("4096", "unlimited");
        assert_eq!(found(&[MEMORY, STATUS, ("proc/self/limits", &held)]), Some(0));
    }

    #[test]
    fn every_group_up_to_the_root_bounds_it() {
        let mounts = "30 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
        let mut files = vec![
            MEMORY,
            ("proc/self/cgroup", "0::/user/run\n"),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/user/run/memory.max", "max\n"),
            ("sys/fs/cgroup/user/run/memory.current", "1000\n"),
            ("sys/fs/cgroup/user/memory.max", "5000\n"),
            ("sys/fs/cgroup/user/memory.current", "3000\n"),
        ];
        assert_eq!(found(&files), Some(2000));
        files.push((
            "sys/fs/cgroup/user/memory.stat",
            "anon 1800\ninactive_file 700\nactive_file 500\n",
        ));
        assert_eq!(found(&files), Some(3200));
        files.push(("sys/fs/cgroup/user/run/memory.max", "1500\n"));
        assert_eq!(found(&files), Some(500));
    }

    #[test]
    fn older_groups_and_those_of_containers_are_found() {
        let mounts = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                      35 31 0:32 /docker/7 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let mut files = vec![
            ("proc/self/cgroup", "4:memory:/docker/7/part\n3:cpuset:/\n0::/\n"),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "2000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 250\n"),
        ];
        assert_eq!(found(&files), Some(7250));
        files.push(("sys/fs/cgroup/memory/part/memory.limit_in_bytes", "400\n"));
        files.push(("sys/fs/cgroup/memory/part/memory.usage_in_bytes", "300\n"));
        assert_eq!(found(&files), Some(100));
    }
}
