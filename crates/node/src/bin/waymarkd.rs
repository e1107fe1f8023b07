//! `waymarkd`: the daemon.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    waymark_node::cli::daemon(std::env::args_os().collect())
}
