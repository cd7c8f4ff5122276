//! Development: static files as they are in a folder now, and what tells open pages that something has changed. Only
//! debug builds contain this module.

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::web::{self, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use templates::RenderError;
use templates::dev::{Folder, SCRIPT, SCRIPT_PATH};
use tracing::error;

use crate::edge::{at, nothing_here};

pub use templates::dev::{folder, read_from};

const NEVER_KEPT: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// Adds the static files of a folder, the script of its pages, and what this script asks for.
pub fn routes(folder: &'static Folder, config: &mut ServiceConfig) {
    let file = move |request: HttpRequest, file: Path<String>| async move {
        match folder.static_file(&file) {
            Some((content_type, content)) => {
                fresh(HttpResponse::Ok()).content_type(content_type).body(content)
            }
            None => nothing_here(request).await,
        }
    };
    let version =
        move || async move { fresh(HttpResponse::Ok()).content_type("text/plain").body(folder.version()) };
    let script =
        || async { fresh(HttpResponse::Ok()).content_type("text/javascript; charset=utf-8").body(SCRIPT) };
    config
        .service(at("/static/{file}").route(web::get().to(file)))
        .service(at("/dev/version").route(web::get().to(version)))
        .service(at(SCRIPT_PATH).route(web::get().to(script)));
}

/// The page that says what is wrong with a template. `None` when pages are those in the program.
pub fn fault_page(fault: &RenderError) -> Option<String> {
    let page = folder()?.fault_page(fault);
    error!("{fault}");
    Some(page)
}

fn fresh(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response.insert_header(NEVER_KEPT);
    response
}
