//! From a command line to its exit code.

use std::{ffi::OsString, process::ExitCode};

use tokio::runtime::Runtime;
use waymark_api::registration::v1::{self, change::Action};

use super::{
    Command, Daemon, Folder, Shown, Tool, access, application, audit, deposit, enterprise, export, import, label,
    labels, language_of, load, operator_record, pages, parse, plan, prefix, report, resolve,
    server::{self, trace, withdraw},
    sheet, status, store, takeover, template, terminal, top_node,
};
use crate::{
    config::{Config, OPTIONS, render, schema::Value},
    daemon, demo, drill, logs,
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Runs `waymark` with these arguments, the program's name first; called as `waymarkd` it is the daemon.
pub fn tool(arguments: Vec<OsString>) -> ExitCode {
    let called = arguments.first().and_then(|name| std::path::Path::new(name).file_name());
    if called.is_some_and(|name| name == "waymarkd") {
        return daemon(arguments);
    }
    let texts = Texts::new(language_of(&arguments));
    let tool: Tool = match parse(&arguments, &texts, "help") {
        Ok(tool) => tool,
        Err(exit) => return code(exit),
    };
    let shown = Shown { colours: terminal::colours() };
    let ended = runtime().and_then(|runtime| {
        let ended = runtime.block_on(command(&tool.command, &texts, shown));
        // Where a command ended without waiting for a thread, nobody else shall wait for it either.
        runtime.shutdown_background();
        ended
    });
    finish(ended, &texts)
}

async fn command(command: &Command, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Command::Resolve(arguments) => Ok(resolve::run(arguments, texts, shown).await?),
        Command::Load(arguments) => Ok(load::run(arguments, texts).await?),
        Command::Register(arguments) => Ok(server::register::run(arguments, texts, shown).await?),
        Command::Get(arguments) => Ok(server::look_up::get(arguments, texts, shown).await?),
        Command::List(arguments) => Ok(server::look_up::list(arguments, texts, shown).await?),
        Command::History(arguments) => Ok(server::look_up::history(arguments, texts, shown).await?),
        Command::Watch(arguments) => Ok(server::watch::run(arguments, texts, shown).await?),
        Command::Suspend(arguments) => Ok(withdraw::run(&arguments.subject, arguments.suspend(), texts, shown).await?),
        Command::Resume(subject) => Ok(withdraw::run(subject, Action::Resume(v1::Resume {}), texts, shown).await?),
        Command::Revoke(arguments) => Ok(withdraw::run(&arguments.subject, arguments.revoke(), texts, shown).await?),
        Command::Recall(arguments) => Ok(server::recall::run(arguments, texts, shown).await?),
        Command::Verdict(arguments) => Ok(server::verdict::run(arguments, texts, shown).await?),
        Command::Delete(subject) => Ok(withdraw::run(subject, Action::Delete(v1::Delete {}), texts, shown).await?),
        Command::WhoAmI(arguments) => Ok(server::who_am_i::run(arguments, texts).await?),
        Command::Principal(command) => access::principal::run(command, texts, shown).await,
        Command::Token(command) => access::token::run(command, texts, shown).await,
        Command::Quota(command) => access::quota::run(command, texts, shown).await,
        Command::Template(command) => template::run(command, texts, shown).await,
        Command::Job(command) => Ok(server::job::run(command, texts).await?),
        Command::Range(command) => Ok(server::range::run(command, texts, shown).await?),
        Command::Cache(verb) => Ok(server::cache::run(verb, texts, shown).await?),
        Command::Sync(verb) => Ok(server::sync::run(verb, texts, shown).await?),
        Command::Docking(verb) => server::docking::run(verb, texts, shown).await,
        Command::Report(verb) => report::run(verb, texts, shown).await,
        Command::Incident(verb) => Ok(server::incident::run(verb, texts, shown).await?),
        Command::Maintenance(verb) => Ok(server::maintenance::run(verb, texts).await?),
        Command::Trace(arguments) => Ok(server::cache::trace(arguments, texts, shown).await?),
        Command::Traffic(arguments) => Ok(server::traffic::run(arguments, texts, shown).await?),
        Command::Followers(arguments) => Ok(server::cache::followers(arguments, texts, shown).await?),
        Command::TraceUp(arguments) => Ok(trace::run(arguments, trace::Direction::Up, texts, shown).await?),
        Command::TraceDown(arguments) => Ok(trace::run(arguments, trace::Direction::Down, texts, shown).await?),
        Command::Aggregate(arguments) => Ok(server::pack::aggregate(arguments, texts, shown).await?),
        Command::Disaggregate(arguments) => Ok(server::pack::disaggregate(arguments, texts, shown).await?),
        Command::Audit(command) => audit::run(command, texts, shown).await,
        Command::Label(arguments) => Ok(label::run(arguments, texts)?),
        Command::Labels(arguments) => Ok(labels::run(arguments, texts)?),
        Command::Completions(arguments) => Ok(pages::completions(arguments, texts)),
        Command::Man(arguments) => Ok(pages::man(arguments, texts)?),
        Command::Import(arguments) if arguments.template.is_some() => sheet::import::run(arguments, texts).await,
        Command::Import(arguments) if arguments.connection.is_meant_or_runs(&arguments.folder)? => {
            Ok(server::upload::run(arguments, texts).await?)
        }
        Command::Import(arguments) => import::run(arguments, texts).await,
        Command::Export(arguments) => export::run(arguments, texts).await,
        Command::Status(arguments) => status::run(arguments, texts, shown).await,
        Command::Store(command) => store::run(command, texts, shown).await,
        Command::Deposit(command) => deposit::run(command, texts, shown).await,
        Command::Takeover(command) => takeover::run(command, texts, shown).await,
        Command::Drill(drill) => Ok(drill::run(drill, texts, shown).await?),
        Command::Enterprise(command) => enterprise::run(command, texts, shown).await,
        Command::OperatorRecord(command) => operator_record::run(command, texts, shown).await,
        Command::Plan(command) => Ok(plan::run(command, texts, shown).await?),
        Command::Application(command) => application::run(command, texts, shown).await,
        Command::Prefix(command) => prefix::run(command, texts, shown).await,
        Command::Demo(arguments) => Ok(demo::run(arguments, texts, shown).await?),
        Command::TopNode(arguments) => top_node::run(arguments).await,
        Command::Config => {
            terminal::text(render::file(OPTIONS));
            Ok(Exit::Done)
        }
    }
}

/// Runs `waymarkd` with these arguments, the program's name first.
pub fn daemon(arguments: Vec<OsString>) -> ExitCode {
    let mut texts = Texts::new(language_of(&arguments));
    let daemon: Daemon = match parse(&arguments, &texts, "help-daemon") {
        Ok(daemon) => daemon,
        Err(exit) => return code(exit),
    };
    let mut config = match Config::load(daemon.config.as_deref()) {
        Ok(config) => config,
        Err(problems) => return report(&problems.into(), &texts),
    };
    if daemon.lang.is_none()
        && let Some(language) = config.language()
    {
        texts = Texts::new(language);
    }
    if let Some(data) = &daemon.data {
        config.set("node.data", Value::Text(data.display().to_string()));
    }
    if daemon.check_config {
        terminal::line(texts.text("config-good", &[]));
        return code(Exit::Done);
    }
    logs::start(&config);
    let data = config.data();
    let ended = runtime().and_then(|runtime| Ok(runtime.block_on(daemon::run(&config, &data))?));
    finish(ended, &texts)
}

/// The configuration a command on a data folder works with, its data folder included.
pub(super) fn folder_config(folder: &Folder) -> Result<Config, Problems> {
    let mut config = Config::load(folder.config.as_deref())?;
    if let Some(data) = &folder.data {
        config.set("node.data", Value::Text(data.display().to_string()));
    }
    Ok(config)
}

fn runtime() -> Result<Runtime, Problems> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    Ok(runtime.map_err(|cause| Problem::new("runtime", Exit::Failed).with("cause", cause))?)
}

fn finish(ended: Result<Exit, Problems>, texts: &Texts) -> ExitCode {
    match ended {
        Ok(exit) => code(exit),
        Err(problems) => report(&problems, texts),
    }
}

fn report(problems: &Problems, texts: &Texts) -> ExitCode {
    for problem in problems.iter() {
        terminal::remark(problem.render(texts));
    }
    code(problems.exit())
}

fn code(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
