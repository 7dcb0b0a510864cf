//! Association rules of a file of baskets, written to a file: in memory, or in parts if the file is larger.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use ancestral_data::{AtomicFile, DataError, Streams, check_plain, is_pipe, nearest};

use super::folder::RunFolder;
use super::rules_spec::{Find, RuleSettings, RulesReport, RulesSpec, Stop};
use super::session::Session;
use crate::memory;
use crate::rules::{
    BasketReader, Baskets, Budget, FileFormat, FoundRules, MineOptions, Names, ReadReport,
    RuleOptions, RuleWriter, RulesError, SetSink, SetWriter, Sets, Support, Target, Watch, mine,
    mine_parts, rules_holdout, rules_of_part, rules_so_far, top,
};
use crate::{Error, Result};

/// Time between two looks at the progress.
const LOOK: Duration = Duration::from_millis(50);
/// Rules that are written between two of them.
const EACH: usize = 1 << 12;
/// This fraction (1 / SPARE) of the free memory is left.
const SPARE: u64 = 10;
/// What is in memory besides what the limit counts: the program, its threads' stacks and buffers.
const PROGRAM: u64 = 16 << 20;
/// The smallest memory limit.
pub const LEAST_MEMORY: u64 = 32 << 20;

impl Session<'_> {
    /// Finds frequent sets or rules in a file of baskets and writes them to a file, sets as they are
    /// found. A file that is larger than the memory limit is mined in parts, with the same result.
    ///
    /// If it is stopped or reaches the memory limit on its way, what was found is written, and the report
    /// says so.
    ///
    /// # Errors
    /// If settings contradict each other, the file cannot be read or has no baskets, no basket holds an
    /// item that is asked for, the results cannot be written, or nothing was found before the end of
    /// memory or a stop while reading.
    pub fn rules(&mut self, spec: &RulesSpec) -> Result<RulesReport> {
        let format = spec.check()?;
        let path = checked_path(&spec.data)?;
        let limit = match spec.max_memory {
            Some(bytes) if bytes < LEAST_MEMORY => {
                return Err(RulesError::Setting {
                    name: "the memory limit",
                    value: memory::amount(bytes),
                    allowed: "it is at least 32 MiB",
                }
                .into());
            }
            Some(bytes) => Some((bytes, PROGRAM)),
            None => memory::available().map(|free| (free - free / SPARE, 0)),
        };
        let budget =
            limit.map_or_else(Budget::unlimited, |(limit, used)| Budget::with_used(limit, used));
        let mut work = Work {
            spec,
            path: &path,
            format,
            options: MineOptions {
                // What the global pool has, which a program may have set.
                threads: NonZeroUsize::new(rayon::current_num_threads()),
                budget: budget.clone(),
                max_len: spec.max_len,
                ..MineOptions::new(spec.support.unwrap_or(Support::Count(1)))
            },
        };
        let watch = work.options.watch.clone();
        let read = self.watched(&watch, || {
            let mut reader = BasketReader::open(&path, spec.layout, &budget)?;
            reader.set_watch(&watch, "reading");
            let known = reader.report();
            Ok((known, reader.read_all(&budget)))
        })?;
        let (known, read) = read.map_err(ended)?;
        if let Find::Sets(target) = spec.find {
            work.options.target = target;
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let how = format!(
            "{name}: {}{}{}",
            known.format,
            if known.gzip { ", compressed by gzip" } else { "" },
            if spec.layout.is_none() { " (--format says otherwise)" } else { "" }
        );
        match read {
            Ok((names, baskets, read)) => {
                self.tell_notes(&[format!("{how}; {}", summary(&names, &baskets, &read))])?;
                let found = self.watched(&watch, || work.in_memory(names, baskets, read))?;
                match found {
                    Err(RulesError::Memory { what: SEARCH, .. }) if work.may_be_parted() => {}
                    found => return found.map_err(ended),
                }
            }
            Err(RulesError::Memory { .. }) if work.may_be_parted() => self.tell_notes(&[how])?,
            Err(RulesError::Memory { what, limit, .. }) => {
                let lower = work.why_not_parted();
                return Err(RulesError::Memory { what, limit, lower }.into());
            }
            Err(error) => return Err(ended(error)),
        }
        self.tell_notes(&[format!(
            "it is larger than the memory limit of {} (--max-memory) and is mined in parts, in two passes",
            memory::amount(budget.limit())
        )])?;
        self.watched(&watch, || work.in_parts())?.map_err(ended)
    }

    /// Does work in a thread and reports its progress to the observer meanwhile.
    fn watched<T: Send>(&mut self, watch: &Watch, work: impl FnOnce() -> T + Send) -> Result<T> {
        std::thread::scope(|scope| {
            let (end, ended) = channel::<()>();
            let worker = scope.spawn(move || {
                let found = work();
                drop(end);
                found
            });
            let (mut told, mut last) = (Ok(()), watch.now());
            while ended.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                if self.stop().is_some_and(|stop| stop.load(Ordering::Relaxed)) || told.is_err() {
                    watch.stop();
                }
                let now = watch.now();
                if told.is_ok() && now.total > 0 {
                    told = self.tell(now.phase, now.done.min(now.total), now.total);
                    last = now;
                }
            }
            let found = match worker.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            told?;
            // The bar of the last phase ends.
            if last.total > 0 && last.done < last.total {
                self.tell(last.phase, last.total, last.total)?;
            }
            Ok(found)
        })
    }
}

/// What needs the memory if baskets fit and their search does not.
const SEARCH: &str = "the search";

/// The path of the data, unless it is no file of baskets.
fn checked_path(path: &Path) -> Result<PathBuf> {
    if path.as_os_str() == "-" {
        return Ok(PathBuf::from("/dev/stdin"));
    }
    let not_baskets =
        |problem: String| Error::UnsuitableData { model: "rules".to_owned(), problem };
    let shown = path.display();
    if RunFolder::is_at(path) {
        return Err(not_baskets(format!("{shown} is a run; give a file of baskets")));
    }
    if path.is_dir() {
        return Err(not_baskets(format!("{shown} is a folder; give a file of baskets")));
    }
    if !path.exists() {
        return Err(not_baskets(format!("{shown} does not exist; give a file of baskets")));
    }
    if !is_pipe(&path.to_string_lossy()) {
        check_plain(path)?;
    }
    Ok(path.to_owned())
}

/// The size of the data in words.
fn summary(names: &Names, baskets: &Baskets, read: &ReadReport) -> String {
    let each = baskets.total_items() as f64 / baskets.len().max(1) as f64;
    let blank = match read.blank_lines {
        0 => String::new(),
        1 => "; 1 blank line is passed over".to_owned(),
        n => format!("; {n} blank lines are passed over"),
    };
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    format!(
        "{} basket{} of {} different item{}, {each:.1} in a basket{blank}",
        baskets.len(),
        plural(baskets.len()),
        names.len(),
        plural(names.len())
    )
}

/// A stop before anything was found.
fn ended(error: RulesError) -> Error {
    match error {
        RulesError::Stopped => Error::Interrupted,
        error => error.into(),
    }
}

type Found<T> = std::result::Result<T, RulesError>;

/// Everything that the search needs.
struct Work<'a> {
    spec: &'a RulesSpec,
    path: &'a Path,
    format: FileFormat,
    options: MineOptions,
}

impl Work<'_> {
    /// Whether the file can be read again, and what is asked for does not need it in memory.
    fn may_be_parted(&self) -> bool {
        !self.needs_all() && self.path.is_file()
    }

    fn needs_all(&self) -> bool {
        match &self.spec.find {
            Find::Sets(_) => self.spec.support.is_none(),
            Find::Rules(rules) => rules.holdout.is_some(),
        }
    }

    /// What to do if the file is larger than the memory limit and cannot be mined in parts.
    fn why_not_parted(&self) -> &'static str {
        match &self.spec.find {
            Find::Sets(_) if self.needs_all() => {
                "raise the limit, or give a minimum support, with which a larger file is mined in parts"
            }
            Find::Rules(_) if self.needs_all() => {
                "raise the limit, or test rules on the baskets that they are found in, so that a \
                 larger file is mined in parts"
            }
            _ => "raise the limit, or give a file, which is read in parts, instead of a pipe",
        }
    }

    fn create(&self) -> Found<AtomicFile> {
        AtomicFile::create(&self.spec.out).map_err(unwritten)
    }

    fn in_memory(&self, names: Names, baskets: Baskets, read: ReadReport) -> Found<RulesReport> {
        let least = self.options.support.least(baskets.len() as u64);
        let report = RulesReport {
            read,
            baskets: baskets.len() as u64,
            searched: baskets.len() as u64,
            items: names.len(),
            least,
            parts: 0,
            names: Names::new(),
            by_size: Vec::new(),
            rules: None,
            stopped: None,
        };
        match &self.spec.find {
            Find::Sets(_) => self.sets_in_memory(names, baskets, report),
            Find::Rules(settings) => self.rules_in_memory(settings, names, &baskets, report),
        }
    }

    fn sets_in_memory(
        &self,
        names: Names,
        mut baskets: Baskets,
        mut report: RulesReport,
    ) -> Found<RulesReport> {
        let all = baskets.len() as u64;
        let options = MineOptions { support: Support::Count(report.least), ..self.options.clone() };
        let with = numbers(&self.spec.contains, &names)?;
        if !with.is_empty() {
            // Sets with some items are sets of the baskets that hold these; closed and maximal ones too.
            let mut holding = Baskets::new(&options.budget);
            for basket in baskets.iter() {
                if with.iter().all(|item| basket.binary_search(item).is_ok()) {
                    holding.push(basket)?;
                }
            }
            baskets = holding;
        }
        let has_all = |items: &[u32]| with.iter().all(|item| items.contains(item));
        let mut most_frequent = None;
        if let Some(k) = self.spec.top {
            most_frequent = Some(match with.is_empty() {
                true => top(&baskets, Some(&names), &options, k)?,
                false => top_with(&baskets, &names, &options, &with, k)?,
            });
        }
        let mut by_size = Sizes::default();
        let mut writer = SetWriter::new(self.create()?, self.format, all)?;
        let result = match most_frequent {
            Some(sets) => sets.iter().try_for_each(|(items, count)| {
                by_size.add(items.len());
                writer.write(&names, items, u64::from(count))
            }),
            None => mine(&baskets, Some(&names), &options, &mut |items: &[u32], count: u32| {
                if !has_all(items) {
                    return Ok(());
                }
                by_size.add(items.len());
                writer.write(&names, items, u64::from(count))
            }),
        };
        match result {
            Ok(()) => {}
            // Nothing was found, and the file may be mined in parts.
            Err(error @ RulesError::Memory { what: SEARCH, .. }) => return Err(error),
            Err(error) => report.stopped = Some(stop_of(error)?),
        }
        commit(writer.finish()?)?;
        Ok(RulesReport { names, by_size: by_size.0, ..report })
    }

    fn rule_options(&self, settings: &RuleSettings, names: &Names) -> Found<RuleOptions> {
        let rhs = numbers(&settings.rhs, names)?;
        let least = NonZeroUsize::new(rhs.len()).unwrap_or(NonZeroUsize::MIN);
        Ok(RuleOptions {
            min_confidence: settings.min_confidence,
            max_consequent: settings.max_consequent.unwrap_or(least),
            productive: settings.productive,
            contains: numbers(&self.spec.contains, names)?,
            rhs,
            sort: settings.sort,
            top: self.spec.top,
            ..RuleOptions::new(self.options.clone())
        })
    }

    fn rules_in_memory(
        &self,
        settings: &RuleSettings,
        names: Names,
        baskets: &Baskets,
        report: RulesReport,
    ) -> Found<RulesReport> {
        let options = self.rule_options(settings, &names)?;
        if let Some(share) = settings.holdout {
            // One uniform number a basket says whether it is held out.
            let streams = Streams::new(settings.seed).purpose("holdout", 0);
            let uniforms = streams.uniforms(&[0], baskets.len());
            let budget = &options.mine.budget;
            let (tested_in, found_in) =
                baskets.split(budget, |number| f64::from(uniforms[number]) < share)?;
            for (part, name) in [(&found_in, "found in"), (&tested_in, "tested in")] {
                if part.is_empty() {
                    return Err(RulesError::Setting {
                        name: "the share of held-out baskets",
                        value: share.to_string(),
                        allowed: match name {
                            "found in" => "it leaves no basket to find rules in",
                            _ => "it holds out no basket to test rules in",
                        },
                    });
                }
            }
            let least = options.mine.support.least(found_in.len() as u64);
            let found = rules_holdout(&found_in, &tested_in, Some(&names), &options)?;
            return self.write_rules(
                found,
                None,
                names,
                RulesReport { least, searched: found_in.len() as u64, ..report },
            );
        }
        let mut sets = Sets::new(&options.mine.budget);
        let mined = mine(baskets, Some(&names), &options.mine, &mut sets);
        if let Err(error @ RulesError::Memory { what: SEARCH, .. }) = mined {
            return Err(error);
        }
        self.make_rules(sets, mined, names, &options, report)
    }

    /// Rules of the sets that were found, which are all if that ended well.
    fn make_rules(
        &self,
        mut sets: Sets,
        mined: Found<()>,
        names: Names,
        options: &RuleOptions,
        report: RulesReport,
    ) -> Found<RulesReport> {
        let baskets = report.baskets;
        let made = mined.and_then(|()| rules_so_far(&sets, baskets, Some(&names), options));
        let (found, stopped) = match made {
            Ok((found, stopped)) => (found, stopped.map(stop_of).transpose()?),
            Err(error) => {
                let stopped = stop_of(error)?;
                if let Stop::Memory(_) = stopped {
                    // Half of the memory is for the rules. Subsets are found before their supersets.
                    sets.truncate(sets.len() / 2);
                }
                (rules_of_part(&sets, baskets, Some(&names), options)?, Some(stopped))
            }
        };
        self.write_rules(found, stopped, names, report)
    }

    fn write_rules(
        &self,
        found: FoundRules,
        stopped: Option<Stop>,
        names: Names,
        report: RulesReport,
    ) -> Found<RulesReport> {
        let watch = &self.options.watch;
        watch.begin("writing rules", found.rules.len() as u64);
        let mut writer = RuleWriter::new(self.create()?, self.format)?;
        for rules in found.rules.chunks(EACH) {
            rules.iter().try_for_each(|rule| writer.write(&names, rule))?;
            watch.add(rules.len() as u64);
        }
        commit(writer.finish()?)?;
        Ok(RulesReport { names, rules: Some(found), stopped, ..report })
    }

    fn in_parts(&self) -> Found<RulesReport> {
        let budget = &self.options.budget;
        let open = || BasketReader::open(self.path, self.spec.layout, budget);
        let is_sets = matches!(self.spec.find, Find::Sets(_));
        let streams = is_sets && self.spec.top.is_none();
        let contains: &[String] = if is_sets { &self.spec.contains } else { &[] };
        // The numbers of wanted items are known with the first set.
        let mut known: Option<(Names, Vec<u32>)> = None;
        let (mut by_size, mut writer) = (Sizes::default(), None);
        let (mut kept, mut full) = (Sets::new(budget), Ok(()));
        let parts = mine_parts(&open, &self.options, &mut |set| {
            let (_, with) = match &mut known {
                Some(known) => known,
                none => none.insert((set.names.clone(), numbers(contains, set.names)?)),
            };
            if !with.iter().all(|item| set.items.contains(item)) || full.is_err() {
                return Ok(());
            }
            if !streams {
                full = kept.set(set.items, u32::try_from(set.count).unwrap_or(u32::MAX));
                return Ok(());
            }
            let writer = match &mut writer {
                Some(writer) => writer,
                none => none.insert(SetWriter::new(self.create()?, self.format, set.baskets)?),
            };
            by_size.add(set.items.len());
            writer.write(set.names, set.items, set.count)
        })?;
        if parts.baskets == 0 {
            return Err(RulesError::NoBaskets { path: self.path.to_owned() });
        }
        let names = known.map(|known| known.0).unwrap_or_default();
        let report = RulesReport {
            read: parts.read,
            baskets: parts.baskets,
            searched: parts.baskets,
            items: names.len(),
            least: self.options.support.least(parts.baskets),
            parts: parts.parts,
            names: Names::new(),
            by_size: Vec::new(),
            rules: None,
            stopped: None,
        };
        if let Find::Rules(settings) = &self.spec.find {
            // Without a set there are no names to look for.
            let options = match names.is_empty() {
                true => RuleOptions::new(self.options.clone()),
                false => self.rule_options(settings, &names)?,
            };
            return self.make_rules(kept, full, names, &options, report);
        }
        let mut writer = match writer {
            Some(writer) => writer,
            None => SetWriter::new(self.create()?, self.format, parts.baskets)?,
        };
        if let Some(k) = self.spec.top {
            for number in most_frequent(&kept, &names).into_iter().take(k.get()) {
                by_size.add(kept.items(number).len());
                writer.write(&names, kept.items(number), u64::from(kept.count(number)))?;
            }
        }
        commit(writer.finish()?)?;
        let stopped = full.err().map(stop_of).transpose()?;
        Ok(RulesReport { names, by_size: by_size.0, stopped, ..report })
    }
}

/// Numbers of sets by size, from 1 on.
#[derive(Default)]
struct Sizes(Vec<u64>);

impl Sizes {
    fn add(&mut self, size: usize) {
        if self.0.len() < size {
            self.0.resize(size, 0);
        }
        if let Some(count) = size.checked_sub(1).and_then(|at| self.0.get_mut(at)) {
            *count += 1;
        }
    }
}

/// Why it ended, if what was found before can be kept.
fn stop_of(error: RulesError) -> Found<Stop> {
    match error {
        RulesError::Stopped => Ok(Stop::Interrupted),
        error @ RulesError::Memory { .. } => Ok(Stop::Memory(error)),
        error => Err(error),
    }
}

fn unwritten(error: DataError) -> RulesError {
    RulesError::Write { source: std::io::Error::other(error) }
}

fn commit(file: AtomicFile) -> Found<()> {
    file.commit().map_err(unwritten)
}

/// The numbers of items by their names.
fn numbers(wanted: &[String], names: &Names) -> Found<Vec<u32>> {
    let number = |name: &String| {
        names.find(name).ok_or_else(|| {
            let all: Vec<&str> = (0..names.len() as u32).map(|item| names.name(item)).collect();
            RulesError::UnknownItem {
                name: name.clone(),
                nearest: nearest(name, &all).map(str::to_owned),
            }
        })
    };
    wanted.iter().map(number).collect()
}

/// The `k` most frequent sets that hold some items, among baskets that hold them.
fn top_with(
    baskets: &Baskets,
    names: &Names,
    options: &MineOptions,
    with: &[u32],
    k: NonZeroUsize,
) -> Found<Sets> {
    if options.target == Target::Closed {
        // Every closed set holds what all baskets hold.
        return top(baskets, Some(names), options, k);
    }
    let mut best = Sets::new(&options.budget);
    let Some(room) =
        options.max_len.map_or(Some(usize::MAX), |most| most.get().checked_sub(with.len()))
    else {
        return Ok(best);
    };
    let all = u32::try_from(baskets.len()).unwrap_or(u32::MAX);
    if u64::from(all) < options.support.least(0) || all == 0 {
        return Ok(best);
    }
    best.set(with, all)?;
    let (Some(room), Some(more)) = (NonZeroUsize::new(room), NonZeroUsize::new(k.get() - 1)) else {
        return Ok(best);
    };
    let mut others = Baskets::new(&options.budget);
    let mut rest = Vec::new();
    for basket in baskets.iter() {
        rest.clear();
        rest.extend(basket.iter().copied().filter(|item| !with.contains(item)));
        others.push(&rest)?;
    }
    let max_len = options.max_len.map(|_| room);
    let found = top(&others, Some(names), &MineOptions { max_len, ..options.clone() }, more)?;
    for (items, count) in found.iter() {
        best.set(&[items, with].concat(), count)?;
    }
    Ok(best)
}

/// The numbers of sets, the most frequent first, then the smallest, then by name.
fn most_frequent(sets: &Sets, names: &Names) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sets.len()).collect();
    let key = |number: usize| sets.items(number).iter().map(|&item| names.name(item));
    order.sort_by(|&a, &b| {
        let (one, other) = (sets.items(a).len(), sets.items(b).len());
        sets.count(b).cmp(&sets.count(a)).then(one.cmp(&other)).then_with(|| key(a).cmp(key(b)))
    });
    order
}
