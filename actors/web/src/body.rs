//! Requests read within their limits.

use actix_web::HttpRequest;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Payload;
use bytes::Bytes;

use crate::Problem;

/// The largest request body, in bytes.
pub const BODY_MAX: usize = 64 * 1024;

/// How long a request may take from its first line to its end.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);

/// A request's body by its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `application/json`.
    Json(Bytes),
    /// `application/x-www-form-urlencoded`.
    Form(Bytes),
}

/// Reads a body of JSON or of a form.
///
/// # Errors
/// 415 for another type, 413 beyond [`BODY_MAX`], 408 after [`BODY_WITHIN`], 400 when it breaks off.
pub async fn read_body(request: &HttpRequest, payload: Payload) -> Result<Body, Problem> {
    let content_type =
        request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let wrap = match essence.as_str() {
        "application/json" => Body::Json,
        "application/x-www-form-urlencoded" => Body::Form,
        _ => {
            let detail = "Send application/json or application/x-www-form-urlencoded.";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "unsupported-media-type", "Unsupported media type", detail));
        }
    };
    let read = tokio::time::timeout(BODY_WITHIN, payload.to_bytes_limited(BODY_MAX)).await;
    let Ok(read) = read else {
        let detail = format!("The request did not come to its end within {} seconds.", BODY_WITHIN.as_secs());
        return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "Too slow", detail));
    };
    match read {
        Ok(Ok(bytes)) => Ok(wrap(bytes)),
        Ok(Err(_)) => {
            let detail = "The request broke off before its end. Send it again.";
            Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete", "Incomplete request", detail))
        }
        Err(_exceeded) => {
            let detail = format!("A request may hold at most {BODY_MAX} bytes.");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", detail))
        }
    }
}
