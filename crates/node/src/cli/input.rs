//! Texts that commands take from a file or from standard input.

use std::{fs::File, io::Read as _, path::Path};

use crate::problem::{Exit, Problem};

/// The text of a file, or of standard input where the path is `-`. One that is longer than `most` bytes is refused, never cut: what is behind the cut
/// would be passed over without a word.
pub(super) fn text(path: &Path, most: u64, exit: Exit) -> Result<String, Problem> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Problem::new("file-unreadable", exit).with("path", path.display()).with("cause", cause)
    };
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(most + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text))
    };
    if read.map_err(|cause| unreadable(&cause))? as u64 > most {
        return Err(unreadable(&format_args!("more than {most} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(text(&path, 5, Exit::Usage).unwrap(), "12345");
        let refused = text(&path, 4, Exit::Failed).unwrap_err();
        assert_eq!((refused.code(), refused.exit()), ("file-unreadable", Exit::Failed));
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(text(&path, 5, Exit::Usage).unwrap_err().exit(), Exit::Usage);
        assert!(text(&folder.path().join("none"), 5, Exit::Usage).is_err());
    }
}
