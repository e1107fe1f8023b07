//! `waymark takeover digest`: one number for all identifiers of a node, so that two nodes can be compared.

use serde_json::json;
use waymark_api::registration::v1;
use waymark_client::registration::Registrar;
use waymark_top_sync::takeover::{Digest as Sum, is_of};

use super::{Digest, key_of, looking::status_of};
use crate::{
    cli::{
        server::answer,
        terminal::{self, grouped},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Identifiers asked for at a time.
const PAGE: u32 = 1_000;

pub(super) async fn run(arguments: &Digest, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let sum = digest(&registrar, &arguments.prefix, arguments.case_sensitive).await?;
    if arguments.json {
        terminal::line(
            json!({ "prefix": arguments.prefix, "identifiers": sum.identifiers(), "sha256": sum.to_string() }),
        );
    } else {
        let values = [("count", grouped(sum.identifiers()).into()), ("digest", sum.to_string().into())];
        terminal::line(texts.text("takeover-digest", &values));
    }
    Ok(Exit::Done)
}

/// The digest of all identifiers of a prefix and of those derived from it, and of their prefix records.
///
/// # Errors
/// The node refuses, does not answer, cannot read something, or does not tell the content of something.
pub(super) async fn digest(registrar: &Registrar, prefix: &str, case_sensitive: bool) -> Result<Sum, Problem> {
    let mut sum = Sum::default();
    for begins in [prefix.to_owned(), format!("0.NA/{prefix}")] {
        let mut request = v1::ListRequest { prefix: begins, page_size: PAGE, ..v1::ListRequest::default() };
        loop {
            let page = registrar.list(&request).await.map_err(|error| answer::problem(&error, false))?;
            if !page.damaged.is_empty() {
                return Err(Problem::new("takeover-damaged", Exit::Damaged));
            }
            for identifier in page.identifiers.iter().filter(|identifier| is_of(prefix, &identifier.handle)) {
                if identifier.content_hash.is_empty() {
                    return Err(Problem::new("takeover-withheld", Exit::Refused).with("handle", &identifier.handle));
                }
                let key = key_of(&identifier.handle, case_sensitive);
                sum.add(&key, status_of(identifier), &identifier.content_hash);
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
    }
    Ok(sum)
}
