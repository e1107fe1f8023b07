//! Rows from the tables of the catalog: organisations, routes, templates, applications.
//!
//! Each function writes the rows of what changed last behind one serial and up to another, so that what changes while rows are made is told
//! the next time, and nothing twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use waymark_catalog::business::{
    Application, Business, CaseState, EnterpriseId, FileKind, OwnSite, Owner, Placement, PrefixCase,
};
use waymark_catalog::template::{Industry, ObjectType, Template, Templates};
use waymark_catalog::vault::Sealed;
use waymark_catalog::{Serial, Timestamp};

use super::rows::{
    ApplicationRow, EnterpriseRow, IndustryField, ItemRow, OperatorRow, RealNameRow, Route, RouteRow, TemplateRow,
};
use crate::calendar::{Month, moment};

/// The only kind of identifier this node registers.
const CODE_TYPE: &str = "Handle";

/// Serials behind one and up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Told before.
    pub after: Serial,
    /// Told now.
    pub upto: Serial,
}

impl Span {
    /// Whether something that changed last at this serial is told now.
    #[must_use]
    pub fn holds(self, serial: Serial) -> bool {
        self.after < serial && serial <= self.upto
    }
}

/// Takes a row, and what was sealed of it.
pub trait Take {
    /// Why a row was not taken.
    type Error;

    /// Takes it.
    ///
    /// # Errors
    /// It is not kept.
    fn take(&mut self, row: &impl Serialize, sealed: Option<&Sealed>) -> Result<(), Self::Error>;

    /// Takes a file of the node, which is read when it is sent.
    ///
    /// # Errors
    /// It is not kept.
    fn take_file(&mut self, prefix: &str, kind: FileKind) -> Result<(), Self::Error>;
}

/// T1: the node's own record, and each of its files behind it.
///
/// # Errors
/// Of the taker.
pub fn operator<T: Take>(business: &Business, prefix: &str, to: &mut T) -> Result<(), T::Error> {
    let Some(record) = business.operator() else { return Ok(()) };
    let row = OperatorRow { prefix, profile: &record.profile, node: &record.node };
    to.take(&row, record.personal.as_ref())?;
    business.files(Owner::Node).try_for_each(|kind| to.take_file(prefix, kind))
}

/// Which state of the record and its files that is; empty while there is none. Files that are taken away leave no serial of their own.
#[must_use]
pub fn operator_state(business: &Business) -> String {
    let Some(record) = business.operator() else { return String::new() };
    let files = business.files(Owner::Node).filter_map(|kind| business.file(Owner::Node, kind));
    files.fold(record.serial.to_string(), |state, file| format!("{state} {}", file.serial))
}

/// T6: the enterprises that changed.
///
/// # Errors
/// Of the taker.
pub fn enterprises<T: Take>(business: &Business, span: Span, to: &mut T) -> Result<(), T::Error> {
    let mut cases: BTreeMap<EnterpriseId, Vec<&PrefixCase>> = BTreeMap::new();
    for case in business.cases() {
        cases.entry(case.enterprise).or_default().push(case);
    }
    for enterprise in business.enterprises() {
        let cases = cases.remove(&enterprise.id).unwrap_or_default();
        if !span.holds(enterprise.serial) && !cases.iter().any(|case| span.holds(case.serial)) {
            continue;
        }
        let active = cases.iter().filter(|case| case.state == CaseState::Active);
        let row = EnterpriseRow {
            enterprise: enterprise.id.to_string(),
            prefixes: active.map(|case| String::from_utf8_lossy(&case.prefix)).collect(),
            profile: &enterprise.profile,
            real_name: enterprise.real_name.as_ref().map(|real_name| RealNameRow {
                result: real_name.result.as_str(),
                source: &real_name.source,
                time: moment(Timestamp(real_name.time)),
            }),
        };
        to.take(&row, enterprise.personal.as_ref())?;
    }
    Ok(())
}

/// T2: the routes of the node.
#[must_use]
pub fn node_routes<'a>(prefix: &'a str, routes: &'a [Route]) -> RouteRow<'a> {
    RouteRow { prefix: prefix.into(), code_type: CODE_TYPE, routes: routes.into() }
}

/// T7: the routes of the prefixes of enterprises that changed. `own` are those of the node, where hosted prefixes are answered for.
///
/// # Errors
/// Of the taker.
pub fn enterprise_routes<T: Take>(business: &Business, own: &[Route], span: Span, to: &mut T) -> Result<(), T::Error> {
    for case in business.cases().filter(|case| span.holds(case.serial)) {
        let row = RouteRow {
            prefix: String::from_utf8_lossy(&case.prefix),
            code_type: CODE_TYPE,
            routes: routes_of(case, own),
        };
        to.take(&row, None)?;
    }
    Ok(())
}

fn routes_of<'a>(case: &'a PrefixCase, own: &'a [Route]) -> Cow<'a, [Route]> {
    match &case.placement {
        _ if case.state != CaseState::Active => Cow::Borrowed(&[]),
        Placement::Nowhere => Cow::Borrowed(&[]),
        Placement::Here => own.into(),
        Placement::Sites(sites) => {
            sites.iter().map(|OwnSite { ip, tcp, udp, http }| Route::new(*ip, *tcp, *udp, *http)).collect()
        }
    }
}

/// T4: every published template of the node itself, whose prefix is given folded.
///
/// # Errors
/// Of the taker.
pub fn node_templates<T: Take>(templates: &Templates, node: &[u8], to: &mut T) -> Result<(), T::Error> {
    let own = templates.of_prefix(node).filter(|template| template.is_published());
    own.into_iter().try_for_each(|template| to.take(&template_row(template, true), None))
}

/// T11: published templates that changed, of the prefixes, folded, that are told of.
///
/// # Errors
/// Of the taker.
pub fn enterprise_templates<T: Take>(
    templates: &Templates,
    tells_of: &dyn Fn(&[u8]) -> bool,
    span: Span,
    to: &mut T,
) -> Result<(), T::Error> {
    let changed = templates.iter().filter(|template| {
        template.is_published() && span.holds(template.serial) && tells_of(&prefix_of(&template.name.handle()))
    });
    changed.into_iter().try_for_each(|template| to.take(&template_row(template, false), None))
}

/// The folded prefix of the handle of a template.
fn prefix_of(handle: &[u8]) -> Vec<u8> {
    handle.split(|byte| *byte == b'/').next().unwrap_or_default().to_ascii_uppercase()
}

fn template_row(template: &Template, is_of_node: bool) -> TemplateRow<'_> {
    let handle = template.name.handle();
    let definition = &template.definition;
    let Industry { category, division, group, class } = &definition.industry;
    let levels = [category.as_str(), division, group, class];
    let given = levels.into_iter().take_while(|level| !level.is_empty()).collect::<Vec<_>>();
    let industry = match given.as_slice() {
        levels if is_of_node => IndustryField::Levels(levels.to_vec()),
        [] => IndustryField::Text(String::new()),
        [section] => IndustryField::Text((*section).to_owned()),
        [section, .., finest] => IndustryField::Text(format!("{section}{finest}")),
    };
    TemplateRow {
        prefix: String::from_utf8_lossy(&prefix_of(&handle)).into_owned().into(),
        template: String::from_utf8_lossy(&handle).into_owned(),
        code: &definition.code,
        version: &definition.version,
        title: &definition.title,
        industry,
        active_carrier: definition.object_type == ObjectType::ActiveCarrier,
        items: definition
            .columns
            .iter()
            .map(|column| ItemRow {
                name: &column.kind,
                alias: &column.name,
                kind: column.data.as_str(),
                length: column.max,
            })
            .collect(),
    }
}

/// T5 (`of_node`) or T10: every application there is, with the users of a month; none of enterprises that report theirs themselves, by their first
/// active prefix.
///
/// # Errors
/// Of the taker.
pub fn applications<T: Take>(
    business: &Business,
    (node, of_node): (&str, bool),
    month: Month,
    reports: &dyn Fn(&PrefixCase) -> bool,
    to: &mut T,
) -> Result<(), T::Error> {
    let wanted = business.applications().filter(|application| (application.owner == Owner::Node) == of_node);
    // Made after the month: of that month there is nothing to tell.
    for application in wanted.filter(|application| Month::of(application.created) <= month) {
        let prefix = match application.owner {
            Owner::Node => node.into(),
            Owner::Enterprise(id) => {
                let first = business.cases().find(|case| case.enterprise == id && case.state == CaseState::Active);
                if first.is_some_and(|case| reports(case)) {
                    continue;
                }
                first.map_or(Cow::Borrowed(""), |case| String::from_utf8_lossy(&case.prefix))
            }
        };
        to.take(&application_row(application, prefix, month), None)?;
    }
    Ok(())
}

fn application_row<'a>(application: &'a Application, prefix: Cow<'a, str>, month: Month) -> ApplicationRow<'a> {
    let month = month.to_string();
    let users = application.users.iter().find(|(told, _)| told.0 == month).map(|(_, users)| *users);
    let profile = &application.profile;
    ApplicationRow {
        prefix,
        month,
        name: &profile.name,
        kind: profile.kind.number(),
        description: &profile.description,
        users,
        recursive_node: &profile.recursive_node,
        developer: &profile.developer,
    }
}
