//! A node with everything that is told of: an operator's record, an enterprise with an active prefix, templates, applications.

use serde_json::Value;
use waymark_catalog::business::{
    ApplicationCommand, ApplicationKind, ApplicationProfile, BusinessCommand, CaseStep, EnterpriseId, FileFormat,
    FileKind, FreshFile, Month, MonthlyUsers, OperatorCommand, OperatorPersonal, Owner, Profile, RealNameResult, Wish,
};
use waymark_catalog::template::{Definition, TemplateCommand, TemplateName};
use waymark_catalog::vault::{People, Personal};

use super::Node;

/// The sample an operator types.
pub(crate) fn sample() -> Value {
    serde_json::from_str(include_str!("../../../../config/enterprise.json")).unwrap()
}

fn put_enterprise(node: &Node) {
    let profile: Profile = serde_json::from_value(sample()["profile"].clone()).unwrap();
    let personal: Personal = serde_json::from_value(sample()["personal"].clone()).unwrap();
    let fresh = node.catalog.vault().unwrap().seal(People::default(), &personal).unwrap();
    let personal = Some(Box::new(fresh));
    node.write(BusinessCommand::PutEnterprise { id: None, profile: Box::new(profile), personal, principals: None });
}

pub(crate) fn step(node: &Node, step: CaseStep) {
    node.write(BusinessCommand::Step { prefix: b"88.1.801".to_vec(), step });
}

/// An enterprise with an active prefix 88.1.801 that is hosted here.
pub(crate) fn begun() -> Node {
    let node = Node::begun("2026-11-27T01:00");
    put_enterprise(&node);
    let id = EnterpriseId(1);
    node.write(BusinessCommand::SetRealName {
        id,
        result: RealNameResult::Verified,
        source: "register of companies".into(),
        reviewer: "王".into(),
    });
    node.write(BusinessCommand::Apply {
        prefix: b"88.1.801".to_vec(),
        enterprise: Some(id),
        wish: Wish::Hosted,
        note: String::new(),
    });
    let confirm = CaseStep::ConfirmTopLevel { approved: true, reason: "granted".into() };
    for each in [CaseStep::Review, CaseStep::Approve, confirm, CaseStep::Host] {
        step(&node, each);
    }
    node
}

/// Writes the sample template under a prefix as a draft.
pub(crate) fn draft(node: &Node, prefix: &str) -> TemplateName {
    let text = include_str!("../../../../config/templates/zsl-item-1.0.json");
    let definition = Box::new(Definition::from_json(text).unwrap());
    node.write(TemplateCommand::PutDraft { prefix: prefix.as_bytes().to_vec(), definition });
    TemplateName::new(prefix.as_bytes(), "ZSL-ITEM", "1.0").unwrap()
}

/// Publishes it.
pub(crate) fn publish(node: &Node, template: TemplateName) {
    node.write(TemplateCommand::Publish { template });
}

/// Writes an application with 12 users in November.
pub(crate) fn put_application(node: &Node, owner: Owner) {
    let profile = ApplicationProfile {
        name: "追溯小程序".into(),
        kind: ApplicationKind::MiniProgram,
        description: String::new(),
        recursive_node: "r1".into(),
        developer: "样例软件".into(),
    };
    let users = Some(MonthlyUsers { month: Month("2026-11".into()), users: 12 });
    let profile = Box::new(profile);
    node.write(ApplicationCommand::Put { id: None, owner: Some(owner), profile, users });
}

/// What begins as a PNG image does.
pub(crate) const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\nof the licence";

/// Begun, with everything else there is to tell.
pub(crate) fn filled() -> Node {
    let node = begun();
    let own: Value = serde_json::from_str(include_str!("../../../../config/operator.json")).unwrap();
    let personal: OperatorPersonal = serde_json::from_value(own["personal"].clone()).unwrap();
    let fresh = node.catalog.vault().unwrap().seal(People::default(), &personal).unwrap();
    node.write(BusinessCommand::Operator(OperatorCommand::Put {
        profile: Box::new(serde_json::from_value(own["profile"].clone()).unwrap()),
        node: Box::new(serde_json::from_value(own["node"].clone()).unwrap()),
        personal: Some(Box::new(fresh)),
    }));
    let people = node.catalog.business().people(Owner::Node);
    let fresh = node.catalog.vault().unwrap().seal_bytes(people, IMAGE).unwrap();
    let file = Some(Box::new(FreshFile { format: FileFormat::Png, fresh }));
    node.write(BusinessCommand::Operator(OperatorCommand::PutFile { kind: FileKind::Document, file }));
    for prefix in ["88.1", "88.1.801"] {
        let template = draft(&node, prefix);
        publish(&node, template);
    }
    for owner in [Owner::Node, Owner::Enterprise(EnterpriseId(1))] {
        put_application(&node, owner);
    }
    node
}
