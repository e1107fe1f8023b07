//! Bootstrap files of the query service.

use waymark_registration::query::bootstrap::Bootstrap;

/// The first two bytes say how many bytes of the rest are a prefix to look for; what is behind them is a file.
///
/// A file that is taken sends nobody anywhere but to an address that may stand in a header, and only for the longest of its prefixes that the name is,
/// or is derived from, label by label. One that is not says why, in bounded space.
pub fn bootstrap(input: &[u8]) {
    let Some((lengths, rest)) = input.split_first_chunk::<2>() else { return };
    let (prefix, file) = rest.split_at(usize::from(u16::from_be_bytes(*lengths)).min(rest.len()));
    let read = match Bootstrap::parse(file) {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty() && error.to_string().len() < 2_000);
            return;
        }
    };
    let prefix = String::from_utf8_lossy(prefix).to_ascii_uppercase();
    let Some((matched, url)) = read.find(&prefix) else { return };
    assert!(url.ends_with('/') && (url.starts_with("http://") || url.starts_with("https://")));
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url:?}");
    let rest = prefix.strip_prefix(matched).expect("a beginning of the name");
    assert!(rest.is_empty() || rest.starts_with('.'), "{matched} is no prefix of {prefix} by label");
    // The longest: nothing between it and the name is in the file.
    for (at, _) in prefix.match_indices('.').filter(|(at, _)| *at > matched.len()) {
        let longer = &prefix[..at];
        assert_eq!(read.find(longer).map(|(found, _)| found), Some(matched));
    }
    assert_eq!(read.find(&prefix), Bootstrap::parse(file).expect("taken before").find(&prefix));
}
