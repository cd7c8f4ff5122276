//! The static files. Their names change with their content, so browsers may keep them for ever.

use actix_web::HttpResponse;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};

use crate::edge::at;

/// Adds every static file under its own address.
pub fn routes(config: &mut ServiceConfig) {
    #[cfg(debug_assertions)]
    if let Some(folder) = crate::dev::folder() {
        return crate::dev::routes(folder, config);
    }
    for file in templates::static_files() {
        let answer = move || async move {
            HttpResponse::Ok()
                .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
                .content_type(file.content_type)
                .body(file.body)
        };
        config.service(at(&file.path).route(web::get().to(answer)));
    }
}
