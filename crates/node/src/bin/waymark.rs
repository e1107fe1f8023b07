//! `waymark`: everything a person types.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    waymark_node::cli::tool(std::env::args_os().collect())
}
