//! The program `ancestral`: parses the command line, calls the library, prints.

mod args;
mod classification;
mod classify;
mod cluster;
mod codes;
mod data;
mod env;
mod evaluate;
mod explain;
mod fit;
mod harmless;
mod hints;
mod inputs;
mod json;
mod listing;
mod names;
mod output;
mod pack;
mod progress;
mod quality;
mod reproduce;
mod rules;
mod runs;
mod sample;
mod score;
mod train;

use std::process::ExitCode;

use ancestral::environment::Isa;
use clap::{CommandFactory, FromArgMatches};

fn main() -> ExitCode {
    ancestral::keep_freed_memory();
    match parse() {
        Ok(args) => {
            let json = args.command.json();
            output::exit_code(run(args), json)
        }
        // Help and the version come as errors too.
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            let text = error.to_string();
            let text = text.trim_start_matches("error: ").trim();
            let (text, hint) = text.split_once("\n\n").unwrap_or((text, "try '--help'"));
            output::report_error(text, Some(&hint.replace('\n', " ")), true);
            ExitCode::from(output::WRONG_USAGE)
        }
        Err(error) => error.exit(),
    }
}

/// The arguments, or what is wrong with them.
fn parse() -> Result<args::Args, clap::Error> {
    let matches = with_negative_numbers(args::Args::command()).try_get_matches();
    matches.and_then(|matches| args::Args::from_arg_matches(&matches)).map_err(plainly)
}

/// A negative number is a value, which its flag can refuse, and no flag.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| match arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    });
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, with_negative_numbers))
}

/// Says what a number has to be where the standard library says how reading it failed.
fn plainly(error: clap::Error) -> clap::Error {
    const SAYINGS: [(&str, &str); 6] = [
        ("invalid digit found in string", "it must be a whole number, 0 or more"),
        ("cannot parse integer from empty string", "it must be a whole number, 0 or more"),
        ("number too large to fit in target type", "it is too large"),
        ("number would be zero for non-zero type", "it must be 1 or more"),
        ("invalid float literal", "it must be a number"),
        ("cannot parse float from empty string", "it must be a number"),
    ];
    let text = error.to_string();
    let Some((saying, plain)) = SAYINGS.iter().find(|(saying, _)| text.contains(saying)) else {
        return error;
    };
    let text = text.replace(saying, plain);
    clap::Error::raw(error.kind(), text.trim_start_matches("error: "))
}

/// Refuses numbers of threads in the environment that the machine could not start.
fn check_variables() -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    for name in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"] {
        let Some(value) = std::env::var_os(name) else { continue };
        let threads = value.to_str().and_then(|value| value.parse::<u128>().ok());
        if threads.is_some_and(|threads| threads > 4 * cores as u128) {
            return Err(output::usage(format!(
                "{name}={}: this machine has {cores} cores; give at most {}",
                value.to_string_lossy(),
                4 * cores
            )));
        }
    }
    Ok(())
}

fn run(args: args::Args) -> anyhow::Result<()> {
    use args::Command;
    if let Err(error) = Isa::requested() {
        return Err(output::usage(format!("{}: {error}", Isa::VARIABLE)));
    }
    if let Some(threads) = args.threads {
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        if threads.get() > 4 * cores {
            return Err(output::usage(format!(
                "--threads {threads}: this machine has {cores} cores; give at most {}",
                4 * cores
            )));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.get());
        pool.build_global().map_err(|e| anyhow::anyhow!("cannot start {threads} threads: {e}"))?;
    }
    if args.threads.is_none() {
        check_variables()?;
    }
    let data_dir = args.data_dir.as_deref();
    match args.command {
        Command::Train(args) => train::run(&args, data_dir),
        Command::Sample(args) => sample::run(&args, data_dir),
        Command::Evaluate(args) => evaluate::run(&args, data_dir),
        Command::Classify(args) => classify::run(&args, data_dir),
        Command::Pack(args) => pack::run(&args),
        Command::Score(args) => score::run(&args, data_dir),
        Command::Reconstruct(args) => codes::reconstruct(&args, data_dir),
        Command::Encode(args) => codes::encode(&args, data_dir),
        Command::Interpolate(args) => codes::interpolate(&args, data_dir),
        Command::Latent(args) => codes::latent(&args, data_dir),
        Command::Fit(args) => fit::run(&args, data_dir),
        Command::Rules(args) => rules::run(&args),
        Command::Cluster(args) => cluster::run(&args, data_dir),
        Command::Explain(args) => explain::run(&args, data_dir),
        Command::Reproduce(args) => reproduce::run(&args, data_dir),
        Command::Models(args) => listing::models(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Data(args) => data::run(&args, data_dir),
        Command::Env(output) => env::run(output, data_dir),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut args::Args::command(), "ancestral", &mut text);
            output::write(&text)
        }
    }
}
