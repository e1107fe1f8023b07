//! `waymark.registration.v1.Templates`.
//!
//! Published templates are for everybody who may call: they resolve. Drafts are shown to whoever works under their prefix.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::registration::v1::{self, templates_server};
use waymark_catalog::template::{Definition, Template, TemplateCommand, TemplateName, TemplateState, difference};

use super::{answer, caller};
use crate::convert::answer::{Same, receipt};
use crate::convert::page::{Question, size};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};
use crate::reasons::Reason;

/// The service over the edge.
pub(super) struct TemplateService {
    edge: Arc<Edge>,
}

impl TemplateService {
    pub(super) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    async fn change(
        &self,
        caller: &Caller,
        name: &TemplateName,
        command: TemplateCommand,
    ) -> Result<v1::TemplateResponse, Failure> {
        let done = self.edge.apply(caller, command.into(), None).await?;
        let template = self.edge.catalog.templates().get(name).map(|template| show(template, true));
        Ok(v1::TemplateResponse { template, receipt: Some(receipt(&done, Same::Unchanged)) })
    }

    async fn put(
        &self,
        caller: &Caller,
        request: v1::PutTemplateDraftRequest,
    ) -> Result<v1::TemplateResponse, Failure> {
        let v1::PutTemplateDraftRequest { prefix, definition } = request;
        let definition = Definition::from_json(&definition).map_err(|error| {
            Failure::invalid_field("definition", format!("is not in the form of a template: {error}"))
        })?;
        // A name that cannot be is the writer's to refuse; then there is nothing to show.
        let name = TemplateName::new(prefix.as_bytes(), &definition.code, &definition.version);
        let command = TemplateCommand::PutDraft { prefix: prefix.into_bytes(), definition: Box::new(definition) };
        match name {
            Ok(name) => self.change(caller, &name, command).await,
            Err(_) => {
                let done = self.edge.apply(caller, command.into(), None).await?;
                Ok(v1::TemplateResponse { template: None, receipt: Some(receipt(&done, Same::Unchanged)) })
            }
        }
    }

    fn find(&self, caller: &Caller, name: &str, field: &'static str) -> Result<Arc<Template>, Failure> {
        let name = parse(name, field)?;
        let found = self.edge.catalog.templates().get(&name).filter(|template| sees(caller, template)).cloned();
        found.ok_or_else(|| Failure::new(Reason::TemplateNotFound).with("template", name))
    }

    fn list(&self, caller: &Caller, request: &v1::ListTemplatesRequest) -> Result<v1::ListTemplatesResponse, Failure> {
        let prefix = request.prefix.to_ascii_uppercase();
        let question = Question::of(&[b"templates", prefix.as_bytes()]);
        let after = question.cursor(&request.page_token)?;
        let after = std::str::from_utf8(&after).ok().and_then(|name| name.parse::<TemplateName>().ok());
        let templates = self.edge.catalog.templates();
        let mut seen = templates
            .iter()
            .filter(|template| prefix.is_empty() || template.name.prefix() == prefix.as_bytes())
            .filter(|template| after.as_ref().is_none_or(|after| template.name > *after) && sees(caller, template));
        let page: Vec<_> = seen.by_ref().take(size(request.page_size)).collect();
        let last = page.last().filter(|_| seen.next().is_some());
        Ok(v1::ListTemplatesResponse {
            next_page_token: last.map_or_else(String::new, |last| question.token(&last.name.handle())),
            templates: page.into_iter().map(|template| show(template, false)).collect(),
        })
    }
}

fn parse(name: &str, field: &'static str) -> Result<TemplateName, Failure> {
    name.parse()
        .map_err(|error: waymark_catalog::template::TemplateNameError| Failure::invalid_field(field, error.to_string()))
}

fn sees(caller: &Caller, template: &Template) -> bool {
    template.is_published() || caller.rights.covers(template.name.prefix())
}

fn show(template: &Template, with_definition: bool) -> v1::Template {
    let state = match template.state {
        TemplateState::Draft => v1::TemplateState::Draft,
        TemplateState::Published => v1::TemplateState::Published,
    };
    v1::Template {
        name: template.name.to_string(),
        state: state.into(),
        definition: if with_definition { template.definition.to_json() } else { String::new() },
        since: Some(proto_time(template.since)),
        actor: template.by.to_string(),
    }
}

#[tonic::async_trait]
impl templates_server::Templates for TemplateService {
    async fn put_draft(
        &self,
        request: Request<v1::PutTemplateDraftRequest>,
    ) -> Result<Response<v1::TemplateResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, self.put(&caller, request.into_inner())).await
    }

    async fn publish(
        &self,
        request: Request<v1::PublishTemplateRequest>,
    ) -> Result<Response<v1::TemplateResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let template = parse(&request.get_ref().name, "name")?;
            self.change(&caller, &template.clone(), TemplateCommand::Publish { template }).await
        })
        .await
    }

    async fn enable_column(
        &self,
        request: Request<v1::EnableColumnRequest>,
    ) -> Result<Response<v1::TemplateResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let v1::EnableColumnRequest { name, index, enabled } = request.into_inner();
            let template = parse(&name, "name")?;
            self.change(&caller, &template.clone(), TemplateCommand::EnableColumn { template, index, enabled }).await
        })
        .await
    }

    async fn delete_draft(
        &self,
        request: Request<v1::DeleteTemplateDraftRequest>,
    ) -> Result<Response<v1::TemplateResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let template = parse(&request.get_ref().name, "name")?;
            self.change(&caller, &template.clone(), TemplateCommand::DeleteDraft { template }).await
        })
        .await
    }

    async fn get_template(&self, request: Request<v1::GetTemplateRequest>) -> Result<Response<v1::Template>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            self.find(&caller, &request.get_ref().name, "name").map(|template| show(&template, true))
        })
        .await
    }

    async fn list_templates(
        &self,
        request: Request<v1::ListTemplatesRequest>,
    ) -> Result<Response<v1::ListTemplatesResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { self.list(&caller, request.get_ref()) }).await
    }

    async fn compare(
        &self,
        request: Request<v1::CompareTemplatesRequest>,
    ) -> Result<Response<v1::CompareTemplatesResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            let v1::CompareTemplatesRequest { from, to } = request.get_ref();
            let (from, to) = (self.find(&caller, from, "from")?, self.find(&caller, to, "to")?);
            Ok(v1::CompareTemplatesResponse { lines: difference(&from.definition, &to.definition) })
        })
        .await
    }
}
