//! `waymark completions` and `waymark man`: made from the command lines themselves, so that they cannot differ.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Daemon, Tool, terminal, with_help};
use crate::{
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// `waymark man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completions of a shell.
pub(crate) fn completions(arguments: &Completions, texts: &Texts) -> Exit {
    let mut command = with_help(Tool::command(), texts, "help");
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "waymark", &mut out);
    terminal::text(String::from_utf8_lossy(&out));
    Exit::Done
}

/// Writes a page for each command into a folder.
pub(crate) fn man(arguments: &Man, texts: &Texts) -> Result<Exit, Problem> {
    let folder = &arguments.folder;
    let failed = |cause: std::io::Error| {
        Problem::new("file-not-written", Exit::Failed).with("path", folder.display()).with("cause", cause)
    };
    fs::create_dir_all(folder).map_err(failed)?;
    write(with_help(Tool::command(), texts, "help"), folder).map_err(failed)?;
    write(with_help(Daemon::command(), texts, "help-daemon"), folder).map_err(failed)?;
    Ok(Exit::Done)
}

fn write(command: clap::Command, folder: &Path) -> std::io::Result<()> {
    clap_mangen::generate_to(command, folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn there_is_a_page_for_every_command_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let folder = tempfile::tempdir().unwrap();
            let texts = Texts::new(language);
            let arguments = Man { folder: folder.path().join("man1") };
            assert_eq!(man(&arguments, &texts).unwrap(), Exit::Done);
            let read = |name: &str| fs::read_to_string(arguments.folder.join(name)).unwrap();
            assert!(read("waymark.1").contains("register"));
            assert!(read("waymark-token-issue.1").contains("PRINCIPAL"));
            assert!(read("waymarkd.1").contains("check"));
        }
    }

    #[test]
    fn every_shell_completes_every_command() {
        let texts = Texts::new(Language::English);
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut command = with_help(Tool::command(), &texts, "help");
            let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut command, "waymark", &mut out);
            let text = String::from_utf8(out).unwrap();
            for name in names {
                assert!(text.contains(&name), "{shell} does not know {name}");
            }
        }
    }
}
