//! Whether a node tells names apart by the case of their letters (`names.case_sensitive`): asked of the node itself.
//!
//! Two nodes that do not have the same rule cannot have the same identifiers: what are two at one of them would be one at the other, and one of both
//! would be lost unseen. No call of the interface tells the rule, so a name that is there is asked for in the other case.

use std::path::Path;

use waymark_api::registration::v1;
use waymark_client::registration::Registrar;
use waymark_top_sync::takeover::is_of;

use super::looking::is_absent;
use crate::{
    cli::server::answer,
    problem::{Exit, Problem},
};

/// Identifiers asked for at a time.
const PAGE: u32 = 1_000;

/// Pages that are looked through for a name with letters.
const PAGES: usize = 10;

/// Whether a node tells names apart by the case of letters; `None` where it has no name of a prefix that shows it.
///
/// # Errors
/// It refuses or does not answer.
pub(super) async fn rule(registrar: &Registrar, prefix: &str) -> Result<Option<bool>, Problem> {
    let mut request = v1::ListRequest { prefix: prefix.to_owned(), page_size: PAGE, ..v1::ListRequest::default() };
    for _ in 0..PAGES {
        let page = registrar.list(&request).await.map_err(|error| answer::problem(&error, false))?;
        let own = |identifier: &&v1::Identifier| identifier.package.is_empty() && is_of(prefix, &identifier.handle);
        for identifier in page.identifiers.iter().filter(own) {
            let Some(other) = other_case(&identifier.handle) else { continue };
            match get(registrar, &other).await? {
                Some(found) => return Ok(Some(found.handle == other)),
                None if get(registrar, &identifier.handle).await?.is_some() => return Ok(Some(true)),
                // It was deleted meanwhile.
                None => {}
            }
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    Ok(None)
}

/// Refuses a rule that is not that of the node, where that is known.
///
/// # Errors
/// `takeover-case`.
pub(super) fn check(node: Option<bool>, said: bool, path: &Path) -> Result<(), Problem> {
    match node {
        Some(node) if node != said => {
            let problem = Problem::new("takeover-case", Exit::Usage);
            Err(problem.with("path", path.display()).with("node", node).with("said", said))
        }
        _ => Ok(()),
    }
}

async fn get(registrar: &Registrar, handle: &str) -> Result<Option<v1::Identifier>, Problem> {
    let request = v1::GetRequest { handle: handle.to_owned(), ..v1::GetRequest::default() };
    match registrar.get(&request).await {
        Ok(identifier) => Ok(Some(identifier)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(answer::problem(&error, false)),
    }
}

/// A name whose suffix has its ASCII letters in the other case; `None` where it has none.
fn other_case(handle: &str) -> Option<String> {
    let (prefix, suffix) = handle.split_once('/')?;
    let turned = |letter: char| {
        if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    };
    suffix.contains(|letter: char| letter.is_ascii_alphabetic()).then(|| {
        let suffix: String = suffix.chars().map(turned).collect();
        format!("{prefix}/{suffix}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_letters_of_the_suffix_are_turned() {
        assert_eq!(other_case("88.a/Box.\u{e9}1").as_deref(), Some("88.a/bOX.\u{e9}1"));
        assert_eq!(other_case("88.990/1/x").as_deref(), Some("88.990/1/X"));
        assert_eq!(other_case("88.a/123"), None);
    }

    #[test]
    fn a_rule_that_is_not_the_nodes_is_refused() {
        let path = Path::new("f");
        assert!(check(None, true, path).is_ok() && check(Some(true), true, path).is_ok());
        assert_eq!(check(Some(true), false, path).unwrap_err().code(), "takeover-case");
        assert_eq!(check(Some(false), true, path).unwrap_err().code(), "takeover-case");
    }
}
