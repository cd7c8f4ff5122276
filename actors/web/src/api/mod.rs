//! The document of the HTTP API: OpenAPI 3.1, made from the code, at `/openapi.json`; and a readable page of it, at
//! `/docs`.
//!
//! Every actor that speaks HTTP tells of its addresses in its `api.rs`. A process serves the document of its own actors,
//! and `urna` that of all. What the document says is held by tests: its addresses are those that are served, and what is
//! answered is what it says.

pub mod kinds;
mod operation;
mod page;
mod schemas;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::Value;
use templates::Visitor;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathsBuilder, path::PathItem,
};

pub use operation::Operation;
pub use schemas::{any_text, one_of, text_up_to, whole};

use crate::callers::Callers;
use crate::edge::{at, page as page_of};

/// The headings, in the order they are read, and what stands below each.
const TAGS: [(&str, &str); 7] = [
    (
        "accounts",
        "Who one is: registering, signing in, one's own profile; for administrators, everybody's role.",
    ),
    ("sessions", "Where one is signed in, and how to end it."),
    (
        "rounds",
        "What is being voted on, and when. Organisers make rounds and run them; everybody reads them.",
    ),
    ("options", "What can be chosen in a round."),
    ("votes", "Casting a ballot."),
    ("results", "What is counted."),
    ("process", "What a process tells of itself."),
];
const PAGES: (&str, &str) =
    ("pages", "What people open in a browser, and the forms on it. Programs need none of it.");

const ABOUT: &str = "JSON in, JSON out; names are in `snake_case`, moments in RFC 3339 and UTC. \
A field that an address does not know is refused. What answers GET answers HEAD.\n\n\
A refusal is RFC 9457 `application/problem+json`: its `type` is `urn:urna:` and a kind, and each kind stands with the \
status it has. A browser, which asks for `text/html`, gets a page of the same words, and is led to `/login` where it \
must be signed in. A method that an address does not have is refused with 405 `method-not-allowed` and `Allow`. \
500 `internal` is a fault of ours: its `request_id` is in our log.\n\n\
A round's `version` changes with every change of it. Whoever sends it back, as `version` or `If-Match`, is refused when \
somebody else was first.";

/// The document, for programs and for people.
#[derive(Debug)]
pub struct Document {
    /// Written once: every answer holds the same bytes.
    json: Bytes,
    value: Value,
}

impl Document {
    /// The document of these operations.
    pub fn of(operations: Vec<Operation>) -> Self {
        let openapi = openapi(operations);
        let json = serde_json::to_string(&openapi).expect("a document is texts, numbers and lists");
        let value = serde_json::from_str(&json).unwrap_or_default();
        Self { json: json.into(), value }
    }

    /// The methods of the address of this pattern, as the header `Allow` lists them.
    pub(crate) fn methods_at(&self, pattern: &str) -> Option<String> {
        let item = self.value["paths"].get(pattern)?.as_object()?;
        let mut methods: Vec<String> = item.keys().map(|method| method.to_uppercase()).collect();
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        methods.sort_unstable();
        Some(methods.join(", "))
    }

    /// Adds `/openapi.json` and `/docs`. The page is drawn for whoever looks at it, if `callers` are known here.
    pub fn routes(self: &Arc<Self>, callers: Option<&Callers>, config: &mut ServiceConfig) {
        config
            .app_data(Data::from(Arc::clone(self)))
            .app_data(Data::new(Known(callers.cloned())))
            .service(at("/openapi.json").route(web::get().to(json_of)))
            .service(at("/docs").route(web::get().to(docs)));
    }
}

/// Who may be known by the page.
struct Known(Option<Callers>);

async fn json_of(document: Data<Document>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(document.json.clone())
}

async fn docs(document: Data<Document>, known: Data<Known>, request: HttpRequest) -> HttpResponse {
    let visitor = match &known.0 {
        Some(callers) => callers.visitor(&request).await,
        None => Visitor::default(),
    };
    page_of(&request, page::docs_page(&document.value, visitor).render())
}

/// What every process answers, whatever its actors.
pub fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/live", "live")
            .is("process", "Whether it lives", "Answers as soon as the process listens.")
            .answers_text(200, "It lives.", "text/plain"),
        Operation::get("/health", "health")
            .is(
                "process",
                "Whether it can work",
                "Everything that the process needs to do its work, by name.",
            )
            .answers::<schemas::Health>(200, "Everything is there.")
            .answers::<schemas::Health>(503, "Something is missing."),
        Operation::get("/metrics", "metrics")
            .is(
                "process",
                "What it has done",
                "All metrics, for Prometheus. They name no voter and no choice.",
            )
            .answers_text(200, "The metrics.", "text/plain; version=0.0.4; charset=utf-8"),
        Operation::get("/openapi.json", "openapi")
            .is("process", "This document", "OpenAPI 3.1, of the actors in this process.")
            .answers::<schemas::AnyObject>(200, "The document."),
        Operation::get("/docs", "docs")
            .is(PAGES.0, "This document, for people", "The same as `/openapi.json`, to be read.")
            .answers_page("The page."),
        Operation::get("/static/{file}", "static_file")
            .is(
                PAGES.0,
                "A file that pages load",
                "Its name changes with its content: it may be kept for ever.",
            )
            .named("file", "The name of the file, as it stands on a page.", "urna.css")
            .answers_text(200, "The file.", "text/css; charset=utf-8")
            .refuses(&[kinds::kind(404, "not-found", "There is nothing at this address.")]),
    ]
}

fn openapi(operations: Vec<Operation>) -> OpenApi {
    let mut components = security();
    let mut schemas = BTreeMap::new();
    let mut paths = PathsBuilder::new();
    for mut operation in operations {
        schemas.extend(operation.schemas.drain(..));
        let (path, method) = (operation.path, operation.method.clone());
        paths = paths.path(path, PathItem::new(method, operation.build()));
    }
    for (name, schema) in schemas {
        components = components.schema(name, schema);
    }
    let tags = TAGS.into_iter().chain([PAGES]);
    let tags = tags.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    let licence = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new().title("Urna").version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new()
        .info(info.description(Some(ABOUT)).license(Some(licence)).build())
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

fn security() -> ComponentsBuilder {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The `access_token` that `POST /login`, `POST /register` or `POST /token` has answered.",
        ))
        .build();
    let key = |name, words| ApiKeyValue::with_description(name, words);
    let cookie =
        key("urna_access", "The same token, as browsers have it: over TLS it is `__Host-urna_access`.");
    let voter = key(
        "X-Voter-Id",
        "For whom a program votes, where the round lets programs: 1 to 128 visible ASCII characters.",
    );
    let invite = key("X-Invite", "The code of an invite, where the round asks for one.");
    ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)))
        .security_scheme("voter_id", SecurityScheme::ApiKey(ApiKey::Header(voter)))
        .security_scheme("invite", SecurityScheme::ApiKey(ApiKey::Header(invite)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::App;
    use actix_web::body::MessageBody;
    use actix_web::test::{TestRequest, call_service, init_service};
    use serde_json::json;
    use utoipa::ToSchema;

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its shape is of use")]
    struct Sent {
        /// What it is called.
        name: String,
        parts: Vec<Part>,
    }

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its shape is of use")]
    struct Part {
        /// `red`, or another.
        colour: Option<String>,
    }

    fn document() -> Document {
        let post = Operation::post("/things/{id}", "change_thing")
            .is("rounds", "Change a thing", "Any `thing`.")
            .named("id", "Which.", "lamp")
            .takes::<Sent>(json!({ "name": "Lamp", "parts": [] }))
            .answers::<Sent>(200, "It is changed.")
            .refuses(&[kinds::ROUND_NOT_FOUND, kinds::ROUND_NOT_FOUND]);
        Document::of(vec![post, Operation::get("/things/{id}", "thing").answers_page("The page.")])
    }

    #[test]
    fn an_address_has_the_methods_that_are_told_of() {
        let document = document();
        assert_eq!(document.methods_at("/things/{id}").as_deref(), Some("GET, HEAD, POST"));
        assert_eq!(document.methods_at("/things"), None);
    }

    #[actix_web::test]
    async fn every_answer_holds_the_same_bytes_of_the_document() {
        let document = Arc::new(document());
        let app = init_service(App::new().configure(|config| document.routes(None, config))).await;
        let ask = async || {
            let request = TestRequest::get().uri("/openapi.json").to_request();
            call_service(&app, request).await.into_body().try_into_bytes().expect("the whole of it is there")
        };
        let (one, two) = (ask().await, ask().await);
        assert!(one.starts_with(b"{\"openapi\":\"3.1"), "{one:?}");
        assert_eq!(
            (one.as_ptr(), one.len()),
            (two.as_ptr(), two.len()),
            "a copy for each would fill the memory"
        );
    }

    #[test]
    fn a_refusal_stands_with_its_status_and_each_kind_once() {
        let document = document();
        let responses = &document.value["paths"]["/things/{id}"]["post"]["responses"];
        let statuses: Vec<&String> = responses.as_object().unwrap().keys().collect();
        assert_eq!(statuses, ["200", "400", "403", "404", "408", "413", "415", "422"]);
        let examples = &responses["404"]["content"]["application/problem+json"]["examples"];
        assert_eq!(examples.as_object().unwrap().len(), 1);
        assert_eq!(examples["round-not-found"]["value"]["type"], "urn:urna:round-not-found");
    }

    #[test]
    fn the_document_is_as_its_snapshot_shows() {
        let version = document().value["info"]["version"].clone();
        let mut shown = document().value;
        assert_eq!(version, env!("CARGO_PKG_VERSION"));
        shown["info"]["version"] = "[version]".into();
        // The order of fields depends on what else is built with serde_json.
        insta::with_settings!({
            prepend_module_to_snapshot => false, omit_expression => true, sort_maps => true,
        }, {
            insta::assert_json_snapshot!("openapi", shown);
        });
    }

    #[test]
    fn the_page_lays_out_every_field_by_its_path() {
        let page = page::docs_page(&document().value, Visitor::default());
        let operation = &page.tags[0].operations[0];
        let fields: Vec<(&str, &str, bool)> = operation.bodies[0]
            .fields
            .iter()
            .map(|field| (field.name.as_str(), field.shape.as_str(), field.is_required))
            .collect();
        let expected = [
            ("name", "text", true),
            ("parts", "list of object", true),
            ("parts[].colour", "text or null", false),
        ];
        assert_eq!(fields, expected);
        assert!(operation.curl.starts_with("curl -X POST \"$URNA/things/lamp\""), "{}", operation.curl);
        assert!(page.render().unwrap().contains("Any <code>thing</code>."));
    }
}
