//! `GET,PUT,POST,DELETE /rounds/{id}/options/{option}/picture`.

use std::time::Duration;

use ::web::{Caller, Problem, field_error, read_bytes};
use actix_multipart::Multipart;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{TryStreamExt, stream};
use subjects::{OptionId, PictureId};
use tracing::{error, info};

use super::admin::answer_on_page;
use super::options::{Named, option_id, option_not_found};
use super::read;
use super::shown::{ShownOption, etag, tell};
use super::{answer, person, refused};
use crate::album::NotTaken;
use crate::picture::{UPLOAD_MAX, content_type};
use crate::rules::{self, Deed, OptionChange};
use crate::{Entry, Handle};

/// What a picture may be sent as.
const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
/// How long a picture may take on its way here: at least 35 kB a second.
const UPLOAD_WITHIN: Duration = Duration::from_secs(60);
/// What a form may hold beside the picture, in bytes.
const BESIDE_MAX: usize = 16 * 1024;
/// Told of a picture at an address that names it: another picture has another address.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Told of one at an address where another may be later.
const ASK_AGAIN: &str = "public, no-cache";

pub async fn show(rounds: Data<Handle>, request: HttpRequest, named: Named) -> HttpResponse {
    answer(&request, async {
        let newest = rounds.find(&named.0)?;
        let option = newest.message.round.options.iter().find(|option| option.id.as_str() == named.1);
        let picture = option.ok_or_else(option_not_found)?.picture.ok_or_else(picture_not_found)?;
        let is_named = request.query_string() == format!("v={}", picture.short());
        let tag = format!("\"{picture}\"");
        let mut response = HttpResponse::Ok();
        let keep = if is_named { FOR_GOOD } else { ASK_AGAIN };
        response.insert_header((header::CACHE_CONTROL, keep)).insert_header((header::ETAG, tag.clone()));
        if is_there_already(&request, &tag) {
            return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
        }
        let found = rounds.album.find(picture).await;
        let found = found.map_err(|_| away("It cannot be read now. Try again in a moment."))?;
        let bytes = found.ok_or_else(picture_not_found)?;
        response.insert_header((header::CONTENT_DISPOSITION, "inline"));
        Ok(response.content_type(content_type(&bytes)).body(bytes))
    })
    .await
}

pub async fn put(rounds: Data<Handle>, request: HttpRequest, named: Named, payload: Payload) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let wanted = rounds.may_show(&named, &caller)?;
        if !TYPES.contains(&essence(&request).as_str()) {
            return Err(wrong_type("Send image/jpeg, image/png or image/webp."));
        }
        let sent = read_bytes(payload, UPLOAD_MAX, UPLOAD_WITHIN).await?;
        let Entry { version, round } =
            rounds.show_picture(wanted, &caller, sent, read::if_match(&request)).await?;
        let option = round.options.iter().find(|option| option.id.as_str() == named.1);
        Ok(tell(StatusCode::OK, version, &ShownOption::of(&round.id, option.ok_or_else(option_not_found)?)))
    })
    .await
}

/// The same from a browser's form, which ends at the organiser's page of the round, well or not.
pub async fn post(
    rounds: Data<Handle>,
    request: HttpRequest,
    named: Named,
    payload: Payload,
) -> HttpResponse {
    answer_on_page(&rounds, &request, &named.0, async {
        let caller = rounds.organiser(&request).await?;
        let wanted = rounds.may_show(&named, &caller)?;
        if essence(&request) != "multipart/form-data" {
            return Err(wrong_type("Send multipart/form-data, or PUT the picture itself."));
        }
        let sent = read_bytes(payload, UPLOAD_MAX + BESIDE_MAX, UPLOAD_WITHIN).await?;
        let form = PictureForm::read(&request, sent).await?;
        rounds.edge.check_form(&request, &form.csrf)?;
        let entry = rounds.show_picture(wanted, &caller, form.picture, form.version).await?;
        let to = (header::LOCATION, format!("/admin/rounds/{}", entry.round.id));
        Ok(HttpResponse::SeeOther().insert_header(to).finish())
    })
    .await
}

pub async fn remove(rounds: Data<Handle>, request: HttpRequest, named: Named) -> HttpResponse {
    answer(&request, async {
        let caller = rounds.organiser(&request).await?;
        let deed = showing(option_id(&named.1)?, None);
        let entry = rounds.change(&named.0, deed, &caller, read::if_match(&request)).await?;
        Ok(HttpResponse::NoContent().insert_header(etag(entry.version)).finish())
    })
    .await
}

/// An option that may be given a picture.
struct Wanted<'a> {
    round: &'a str,
    option: OptionId,
}

impl Handle {
    /// Whether the option may be given a picture, before one is read.
    fn may_show<'a>(&self, named: &'a Named, caller: &Caller) -> Result<Wanted<'a>, Problem> {
        let (round, option) = (named.0.as_str(), option_id(&named.1)?);
        let newest = self.find(round)?;
        // Any picture that is another one than it has.
        let deed = showing(option.clone(), Some(PictureId::from_bytes([0; 32])));
        let decided = rules::decide(&newest.message.round, &deed, person(caller), self.clock.now());
        decided.map_err(|refusal| refused(&refusal))?;
        Ok(Wanted { round, option })
    }

    /// Makes a picture of what was sent, stores it, and then says in the round that its option has it.
    async fn show_picture(
        &self,
        wanted: Wanted<'_>,
        caller: &Caller,
        sent: Bytes,
        version: Option<u64>,
    ) -> Result<Entry, Problem> {
        let taken = self.album.take(sent).await.map_err(not_taken)?;
        let deed = showing(wanted.option.clone(), Some(taken));
        let entry = self.change(wanted.round, deed, caller, version).await?;
        let (round, user) = (&entry.round.id, caller.person.user);
        info!(round.id = %round, option.id = %wanted.option, user.id = %user, "gave an option a picture");
        Ok(entry)
    }
}

fn showing(option: OptionId, picture: Option<PictureId>) -> Deed {
    Deed::ChangeOption(option, OptionChange { picture: Some(picture), ..OptionChange::default() })
}

/// What a browser's form sends.
#[derive(Debug, Default, PartialEq, Eq)]
struct PictureForm {
    csrf: String,
    version: Option<u64>,
    picture: Bytes,
}

impl PictureForm {
    async fn read(request: &HttpRequest, sent: Bytes) -> Result<Self, Problem> {
        let whole = stream::iter([Ok::<_, PayloadError>(sent)]);
        let mut parts = Multipart::new(request.headers(), whole);
        let mut form = Self::default();
        while let Some(mut part) = parts.try_next().await.map_err(malformed)? {
            let name = part.name().unwrap_or_default().to_owned();
            let value = part.bytes(UPLOAD_MAX).await.map_err(|_| too_large())?.map_err(malformed)?;
            let text = || String::from_utf8_lossy(&value).trim().to_owned();
            match name.as_str() {
                "csrf" => form.csrf = text(),
                "version" if value.is_empty() => {}
                "version" => {
                    let number = text().parse().map_err(|_| invalid("version", "must be a whole number"))?;
                    form.version = Some(number);
                }
                "picture" => form.picture = value,
                _ => return Err(invalid("form", "must hold csrf, version and picture, and nothing else")),
            }
        }
        if form.picture.is_empty() {
            return Err(invalid("picture", "is missing: choose a file"));
        }
        Ok(form)
    }
}

/// The type of what is sent, without its parameters.
fn essence(request: &HttpRequest) -> String {
    let told = request.headers().get(header::CONTENT_TYPE).and_then(|told| told.to_str().ok());
    told.and_then(|told| told.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether who asks says that it has what is tagged so.
fn is_there_already(request: &HttpRequest, tag: &str) -> bool {
    let told = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|told| told.to_str().ok());
    let mut tags = told.flat_map(|told| told.split(',')).map(str::trim);
    tags.any(|told| told == "*" || told.strip_prefix("W/").unwrap_or(told) == tag)
}

fn not_taken(fault: NotTaken) -> Problem {
    match fault {
        NotTaken::NotAPicture(why) => invalid("picture", &why.to_string()),
        NotTaken::Busy => Problem::unavailable(
            "busy",
            "Many pictures are being sent. Nothing was changed; try again in a moment.",
        ),
        NotTaken::Away(cause) => {
            error!(%cause, "a picture was not stored");
            away("It cannot be stored now. Nothing was changed; try again in a moment.")
        }
        NotTaken::Failed(cause) => Problem::internal("make a picture", &cause),
    }
}

fn invalid(field: &str, why: &str) -> Problem {
    Problem::invalid(vec![field_error(field, why)])
}

fn malformed(fault: actix_multipart::MultipartError) -> Problem {
    Problem::malformed(&format!("the form cannot be read: {fault}"))
}

fn too_large() -> Problem {
    let detail = format!("A picture may have at most {UPLOAD_MAX} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Request too large", detail)
}

fn wrong_type(detail: &str) -> Problem {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Problem::new(status, "unsupported-media-type", "Unsupported media type", detail)
}

fn picture_not_found() -> Problem {
    let detail = "This option has no picture.";
    Problem::new(StatusCode::NOT_FOUND, "picture-not-found", "Picture not found", detail)
}

fn away(detail: &str) -> Problem {
    Problem::unavailable("pictures-unavailable", detail)
}
