//! Calls about data templates.

use tonic::transport::Channel;
use waymark_api::registration::v1::{self, templates_client::TemplatesClient};

use super::{attempts::Repeat, call::CallError, operator::calls, registrar::Registrar};
use crate::config::ANSWER_BYTES;

calls! {
    /// Writes a draft of a template.
    put_template_draft(v1::PutTemplateDraftRequest) -> v1::TemplateResponse, templates_service.put_draft, Harmless;
    /// Publishes a template.
    publish_template(v1::PublishTemplateRequest) -> v1::TemplateResponse, templates_service.publish, Harmless;
    /// Says whether new identifiers may have a column.
    enable_column(v1::EnableColumnRequest) -> v1::TemplateResponse, templates_service.enable_column, Harmless;
    /// Takes a draft away.
    delete_template_draft(v1::DeleteTemplateDraftRequest) -> v1::TemplateResponse, templates_service.delete_draft, Twice;
    /// One template.
    template(v1::GetTemplateRequest) -> v1::Template, templates_service.get_template, Harmless;
    /// One page of templates.
    templates(v1::ListTemplatesRequest) -> v1::ListTemplatesResponse, templates_service.list_templates, Harmless;
    /// What changed from one template to another.
    compare_templates(v1::CompareTemplatesRequest) -> v1::CompareTemplatesResponse, templates_service.compare, Harmless;
}

impl Registrar {
    fn templates_service(&self) -> TemplatesClient<Channel> {
        TemplatesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }
}
