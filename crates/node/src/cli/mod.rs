//! Everything a person types: the command lines of `waymark` and `waymarkd`.
//!
//! The shape stands here; what it says about itself (help in two languages) stands with the other texts under
//! `help-…` codes and is put in before parsing.

use std::{net::SocketAddr, path::PathBuf};

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use waymark_api::registration::v1::get_request::At;
use waymark_client::config::FINISH;

use crate::{
    problem::Exit,
    texts::{Language, Texts},
};

mod access;
mod application;
mod audit;
pub(crate) mod deposit;
pub(crate) mod enterprise;
mod export;
mod files;
pub(crate) mod import;
mod input;
mod label;
mod labels;
mod load;
mod operator_record;
mod pages;
mod plan;
mod prefix;
mod prefix_case;
pub(crate) mod present;
mod report;
pub(crate) mod resolve;
mod run;
pub(crate) mod server;
pub mod server_url;
mod sheet;
mod status;
mod store;
mod takeover;
mod template;
pub mod terminal;
mod top_node;

pub use run::{daemon, tool};
pub use server_url::ServerUrl;

/// How output is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// Whether colours are wanted.
    pub(crate) colours: bool,
}

/// A language by its tag, for `--lang`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LanguageFlag {
    /// English.
    En,
    /// Chinese.
    Zh,
}

impl From<LanguageFlag> for Language {
    fn from(flag: LanguageFlag) -> Self {
        match flag {
            LanguageFlag::En => Self::English,
            LanguageFlag::Zh => Self::Chinese,
        }
    }
}

/// The command line of the daemon.
#[derive(Debug, Parser)]
#[command(name = "waymarkd", version, disable_help_subcommand = true)]
pub struct Daemon {
    #[arg(long, value_name = "FILE", env = "WAYMARK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[arg(long, value_name = "DIR", env = "WAYMARK_DATA")]
    pub(crate) data: Option<PathBuf>,
    #[arg(long)]
    pub(crate) check_config: bool,
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub(crate) lang: Option<LanguageFlag>,
}

/// The command line of `waymark`.
#[derive(Debug, Parser)]
#[command(
    name = "waymark",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Tool {
    #[arg(long, global = true, value_enum, value_name = "LANGUAGE")]
    pub(crate) lang: Option<LanguageFlag>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What `waymark` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask a node about an identifier.
    Resolve(Resolve),
    /// Register one identifier.
    Register(server::register::Register),
    /// Show an identifier as it is or as it was.
    Get(server::look_up::Get),
    /// List identifiers by name or by the time of their last change.
    List(server::look_up::List),
    /// Show the versions of an identifier.
    History(server::look_up::History),
    /// Show changes as they happen.
    Watch(server::watch::Watch),
    /// Take an identifier out of resolution until it is resumed.
    Suspend(server::withdraw::Withdraw),
    /// Put a suspended identifier back.
    Resume(server::withdraw::Subject),
    /// Take an identifier out of resolution for good.
    Revoke(server::withdraw::Withdraw),
    /// Call back what carries an identifier, a batch, or codes of a package.
    Recall(server::recall::Recall),
    /// Say whether codes are good.
    Verdict(server::verdict::Judge),
    /// Delete an identifier.
    Delete(server::withdraw::Subject),
    /// Say who the server takes the caller for.
    #[command(name = "whoami")]
    WhoAmI(server::who_am_i::WhoAmI),
    /// Say who may call the node, or change that.
    #[command(subcommand)]
    Principal(access::principal::Principal),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(access::token::Token),
    /// Set and show how much a principal may write in a day.
    #[command(subcommand)]
    Quota(access::quota::Quota),
    /// Write, publish and show data templates.
    #[command(subcommand)]
    Template(template::Template),
    /// Upload files the node imports by itself.
    #[command(subcommand)]
    Job(server::job::Job),
    /// Order codes by the package, have them printed, account for them.
    #[command(subcommand)]
    Range(server::range::RangeVerb),
    /// Show and flush what a node knows of names that live elsewhere.
    #[command(subcommand)]
    Cache(server::cache::CacheVerb),
    /// Show and settle what a node owes the top-level node.
    #[command(subcommand)]
    Sync(server::sync::SyncVerb),
    /// Show how enterprises and prefixes stand with the top-level node.
    #[command(subcommand)]
    Docking(server::docking::DockingVerb),
    /// Reports of a node, for people, programs and authorities.
    #[command(subcommand)]
    Report(report::ReportVerb),
    /// Show and report what failed.
    #[command(subcommand)]
    Incident(server::incident::IncidentVerb),
    /// Declare planned times without service.
    #[command(subcommand)]
    Maintenance(server::maintenance::MaintenanceVerb),
    /// Resolve a name that lives elsewhere and show each step.
    Trace(server::cache::TraceName),
    /// Show which caches of others follow a node, and what each has confirmed.
    Followers(server::cache::Followers),
    /// Show requests of a day: how many, from where, how fast.
    Traffic(server::traffic::Traffic),
    /// Show what an identifier is part of, made from, packed in.
    TraceUp(server::trace::Trace),
    /// Show what is part of an identifier, made from it, packed in it.
    TraceDown(server::trace::Trace),
    /// Pack identifiers in another.
    Aggregate(server::pack::Aggregate),
    /// Take identifiers out of another.
    Disaggregate(server::pack::Disaggregate),
    /// Draw the code of an identifier for printing.
    Label(label::Draw),
    /// Draw the codes of a list for printing, as pages or one by one.
    Labels(labels::DrawList),
    /// Say what was done, by whom, and whether the record of it is whole.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Bring identifiers from a file to a server or into a data folder.
    Import(Import),
    /// Write identifiers of a data folder to a file.
    Export(Export),
    /// Say how a node or a data folder is.
    Status(Status),
    /// Ask a node many questions and measure the answers.
    Load(Load),
    /// Check, repair and describe stored data.
    #[command(subcommand)]
    Store(Store),
    /// Make, check and restore what the top-level node keeps for an emergency.
    #[command(subcommand)]
    Deposit(deposit::Deposit),
    /// Bring back what was registered while the top-level node had taken over.
    #[command(subcommand)]
    Takeover(takeover::TakeoverVerb),
    /// Practise what has to work in an emergency, with processes of its own.
    #[command(subcommand)]
    Drill(crate::drill::Drill),
    /// Say who the enterprises are, or change that.
    #[command(subcommand)]
    Enterprise(enterprise::Enterprise),
    /// Say what a node says of itself, or change that.
    #[command(subcommand)]
    OperatorRecord(operator_record::OperatorRecord),
    /// Say what is planned for a year, or change that.
    #[command(subcommand)]
    Plan(plan::PlanVerb),
    /// Say which applications there are of identifiers, and how many use them.
    #[command(subcommand)]
    Application(application::Application),
    /// Say which prefixes a node serves, or change that.
    #[command(subcommand)]
    Prefix(Prefix),
    /// Start a node with sample identifiers and resolve them all.
    Demo(Demo),
    /// Run a top-level node for development and tests.
    TopNode(top_node::TopNode),
    /// Print the configuration file with every option and its default.
    Config,
    /// Print what a shell needs to complete command lines.
    Completions(pages::Completions),
    /// Write manual pages into a folder.
    Man(pages::Man),
}

/// The data folder a command works on, and the configuration it is opened with.
#[derive(Debug, Args)]
pub(crate) struct Folder {
    #[arg(long, value_name = "DIR", env = "WAYMARK_DATA")]
    pub(crate) data: Option<PathBuf>,
    #[arg(long, value_name = "FILE", env = "WAYMARK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// `waymark resolve`.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    #[arg(value_name = "HANDLE")]
    pub(crate) handle: String,
    #[arg(long, value_name = "URL", action = ArgAction::Append)]
    pub(crate) server: Vec<resolve::Asked>,
    #[arg(long, value_name = "SERIAL|TIME", value_parser = server::look_up::parse_at)]
    pub(crate) at: Option<At>,
    #[arg(long, value_name = "DIR", env = "WAYMARK_DATA")]
    pub(crate) data: Option<PathBuf>,
    #[arg(long, value_name = "N", action = ArgAction::Append)]
    pub(crate) index: Vec<u32>,
    #[arg(long = "type", value_name = "T", action = ArgAction::Append)]
    pub(crate) types: Vec<String>,
    #[arg(long)]
    pub(crate) restricted: bool,
    #[arg(long)]
    pub(crate) certified: bool,
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Option<String>,
    #[arg(long, value_name = "FILE", env = "WAYMARK_CA")]
    pub(crate) ca: Option<PathBuf>,
    #[arg(long, value_name = "FILE", env = "WAYMARK_TOKEN_FILE")]
    pub(crate) token_file: Option<PathBuf>,
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) timeout: u64,
    #[arg(long)]
    pub(crate) json: bool,
}

/// Forms of files identifiers come and go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileForm {
    /// Told from the file's first line.
    Auto,
    /// One JSON object a line.
    Jsonl,
    /// Handle.Net batch file.
    Batch,
}

/// `waymark import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[arg(long, value_enum, value_name = "FORM", default_value_t = FileForm::Auto)]
    pub(crate) form: FileForm,
    #[arg(long, value_name = "TEMPLATE[@VERSION]", conflicts_with = "form")]
    pub(crate) template: Option<sheet::Wanted>,
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[arg(long)]
    pub(crate) home: bool,
    #[arg(long)]
    pub(crate) from_start: bool,
    #[arg(long, value_name = "FILE")]
    pub(crate) rejects: Option<PathBuf>,
    #[arg(long, value_name = "DIR")]
    pub(crate) files_from: Option<PathBuf>,
    #[arg(long)]
    pub(crate) replace: bool,
    #[arg(long, value_name = "NAME")]
    pub(crate) stream: Option<String>,
    #[arg(long, value_name = "FILE")]
    pub(crate) failed: Option<PathBuf>,
    #[arg(long, value_name = "SECONDS", default_value_t = FINISH.default.as_secs(), value_parser = clap::value_parser!(u64).range(0..=FINISH.max.as_secs()))]
    pub(crate) stop_seconds: u64,
    #[command(flatten)]
    pub(crate) connection: server::connection::Connection,
    #[arg(long)]
    pub(crate) json: bool,
}

/// `waymark export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[arg(long, value_enum, value_name = "FORM", default_value_t = FileForm::Jsonl)]
    pub(crate) form: FileForm,
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    #[arg(long, value_name = "DIR")]
    pub(crate) files_to: Option<PathBuf>,
}

/// `waymark status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[arg(long)]
    pub(crate) json: bool,
}

/// `waymark store …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// Verify every covered byte.
    Check(StoreFolder),
    /// Remake the state and the index snapshot from the log.
    Rebuild(StoreFolder),
    /// Say what the folder holds.
    Info(StoreFolder),
}

/// The data folder of a `store` command.
#[derive(Debug, Args)]
pub(crate) struct StoreFolder {
    #[command(flatten)]
    pub(crate) folder: Folder,
    #[arg(long)]
    pub(crate) json: bool,
}

/// `waymark prefix …`.
#[derive(Debug, Subcommand)]
pub(crate) enum Prefix {
    /// List the prefixes served.
    List(access::place::Where),
    /// Serve prefixes from now on.
    Home(PrefixChange),
    /// Stop serving prefixes; their identifiers stay.
    Unhome(PrefixChange),
    /// Applications for prefixes and what becomes of them.
    #[command(flatten)]
    Case(prefix_case::PrefixCase),
}

/// Prefixes to change.
#[derive(Debug, Args)]
pub(crate) struct PrefixChange {
    #[arg(value_name = "PREFIX", required = true)]
    pub(crate) prefixes: Vec<String>,
    #[command(flatten)]
    pub(crate) place: access::place::Where,
}

/// `waymark demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[arg(long)]
    pub(crate) once: bool,
    #[arg(long)]
    pub(crate) topology: bool,
    #[arg(long, value_name = "DIR", default_value = "waymark-data/demo")]
    pub(crate) data: PathBuf,
}

/// How `waymark load` chooses the next name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Popularity {
    /// Every name as likely as any other.
    Uniform,
    /// Few names most of the time.
    Zipf,
}

/// `waymark load`.
#[derive(Debug, Args)]
pub(crate) struct Load {
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<ServerUrl>,
    #[arg(long, value_name = "DIR", env = "WAYMARK_DATA")]
    pub(crate) data: Option<PathBuf>,
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "pattern")]
    pub(crate) names: Option<PathBuf>,
    #[arg(long, value_name = "PATTERN", requires = "count")]
    pub(crate) pattern: Option<String>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    pub(crate) count: Option<u64>,
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) sockets: u32,
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub(crate) outstanding: u32,
    #[arg(long, value_name = "PER_SECOND", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) rate: Option<u64>,
    #[arg(long, value_enum, value_name = "POPULARITY", default_value_t = Popularity::Uniform)]
    pub(crate) popularity: Popularity,
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    pub(crate) exponent: f64,
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) absent: u8,
    #[arg(long)]
    pub(crate) no_padding: bool,
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<SocketAddr>,
    #[arg(long)]
    pub(crate) json: bool,
}

/// Puts the help texts into a command and everything below it: `help-resolve`, `help-resolve-server`, …
fn with_help(command: clap::Command, texts: &Texts, path: &str) -> clap::Command {
    let arguments: Vec<String> = command.get_arguments().map(|argument| argument.get_id().to_string()).collect();
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut command = command;
    if let Some(about) = texts.find(path, &[]) {
        command = command.about(about);
    }
    for name in arguments {
        let own = format!("{path}-{}", name.replace('_', "-"));
        let shared = format!("help-any-{}", name.replace('_', "-"));
        if let Some(help) = texts.find(&own, &[]).or_else(|| texts.find(&shared, &[])) {
            command = command.mut_arg(name, |argument| argument.help(help));
        }
    }
    for name in names {
        let below = format!("{path}-{name}");
        command = command.mut_subcommand(name, |command| with_help(command, texts, &below));
    }
    command
}

/// The language asked for on a command line that is not parsed yet, so that even usage errors speak it.
pub fn language_of(arguments: &[std::ffi::OsString]) -> Language {
    let mut flag = None;
    let mut rest = arguments.iter().filter_map(|argument| argument.to_str());
    while let Some(argument) = rest.next() {
        let tag = match argument.strip_prefix("--lang") {
            Some("") => rest.next().unwrap_or_default(),
            Some(value) => value.strip_prefix('=').unwrap_or_default(),
            None => continue,
        };
        flag = Language::from_tag(tag);
    }
    Language::choose(flag, |name| std::env::var(name).ok())
}

/// Parses a command line; prints help or what is wrong with it and gives the exit code when there is nothing to run.
pub fn parse<T: CommandFactory + FromArgMatches>(
    arguments: &[std::ffi::OsString],
    texts: &Texts,
    path: &str,
) -> Result<T, Exit> {
    let command = with_help(T::command(), texts, path);
    let parsed = command.try_get_matches_from(arguments).and_then(|matches| T::from_arg_matches(&matches));
    parsed.map_err(|error| {
        // A closed pipe while printing help is no failure worth a message.
        let _printed = error.print();
        if error.use_stderr() { Exit::Usage } else { Exit::Done }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_argument_has_help(command: &clap::Command, path: &str, missing: &mut Vec<String>) {
        if command.get_about().is_none() {
            missing.push(path.to_owned());
        }
        for argument in
            command.get_arguments().filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        {
            if argument.get_help().is_none() {
                missing.push(format!("{path}-{}", argument.get_id()));
            }
        }
        for below in command.get_subcommands() {
            every_argument_has_help(below, &format!("{path}-{}", below.get_name()), missing);
        }
    }

    #[test]
    fn every_command_and_flag_explains_itself_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let texts = Texts::new(language);
            let mut missing = Vec::new();
            // Doc comments of the enum serve readers of the code; help must come from the texts.
            for path in
                ["help-resolve", "help-import", "help-export", "help-status", "help-load", "help-demo", "help-config"]
            {
                assert!(texts.find(path, &[]).is_some(), "{path} has no text");
            }
            every_argument_has_help(&with_help(Tool::command(), &texts, "help"), "help", &mut missing);
            every_argument_has_help(&with_help(Daemon::command(), &texts, "help-daemon"), "help-daemon", &mut missing);
            assert!(missing.is_empty(), "{language:?}: {missing:?}");
        }
    }

    #[test]
    fn command_lines_are_consistent() {
        Tool::command().debug_assert();
        Daemon::command().debug_assert();
    }

    #[test]
    fn language_is_found_before_parsing() {
        let words = |text: &str| text.split(' ').map(std::ffi::OsString::from).collect::<Vec<_>>();
        assert_eq!(language_of(&words("waymark --lang zh resolve x")), Language::Chinese);
        assert_eq!(language_of(&words("waymark resolve x --lang=zh")), Language::Chinese);
        assert_eq!(language_of(&words("waymark resolve x --lang en")), Language::English);
    }
}
