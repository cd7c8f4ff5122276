//! How a page becomes HTML: the templates, read once, and the few words they may use.

use std::sync::LazyLock;

use serde::Serialize;
use tera::{Context, Error, Kwargs, State, Tera, TeraResult};

use crate::files;

/// The files in `pages/`: the name, and the template.
pub(crate) const PAGES: [(&str, &str); 30] = [
    ("layout.html", include_str!("../pages/layout.html")),
    ("parts.html", include_str!("../pages/parts.html")),
    ("forms.html", include_str!("../pages/forms.html")),
    ("home.html", include_str!("../pages/home.html")),
    ("receipt.html", include_str!("../pages/receipt.html")),
    ("vote.html", include_str!("../pages/vote.html")),
    ("result.html", include_str!("../pages/result.html")),
    ("hidden.html", include_str!("../pages/hidden.html")),
    ("screen.html", include_str!("../pages/screen.html")),
    ("live_screen.html", include_str!("../pages/live_screen.html")),
    ("embed.html", include_str!("../pages/embed.html")),
    ("no_embed.html", include_str!("../pages/no_embed.html")),
    ("present.html", include_str!("../pages/present.html")),
    ("invites.html", include_str!("../pages/invites.html")),
    ("admin_parts.html", include_str!("../pages/admin_parts.html")),
    ("admin.html", include_str!("../pages/admin.html")),
    ("admin_new.html", include_str!("../pages/admin_new.html")),
    ("admin_form.html", include_str!("../pages/admin_form.html")),
    ("admin_share.html", include_str!("../pages/admin_share.html")),
    ("admin_pictures.html", include_str!("../pages/admin_pictures.html")),
    ("admin_round.html", include_str!("../pages/admin_round.html")),
    ("admin_confirm.html", include_str!("../pages/admin_confirm.html")),
    ("docs_parts.html", include_str!("../pages/docs_parts.html")),
    ("docs.html", include_str!("../pages/docs.html")),
    ("error.html", include_str!("../pages/error.html")),
    ("login.html", include_str!("../pages/login.html")),
    ("register.html", include_str!("../pages/register.html")),
    ("account.html", include_str!("../pages/account.html")),
    ("users.html", include_str!("../pages/users.html")),
    ("sessions.html", include_str!("../pages/sessions.html")),
];

static TERA: LazyLock<Tera> =
    LazyLock::new(|| read(PAGES, files::path_of).expect("the templates are part of the program"));

/// A page that could not be drawn: a fault of this crate, never of the person looking at it.
#[derive(Debug, thiserror::Error)]
#[error("failed to draw {template}: {source}")]
pub struct RenderError {
    pub(crate) template: &'static str,
    pub(crate) source: Error,
}

/// Draws `page` with the template of that name under `pages/`.
pub(crate) fn draw<P: Serialize>(template: &'static str, page: &P) -> Result<String, RenderError> {
    drawn(template, page).map_err(|source| RenderError { template, source })
}

fn drawn<P: Serialize>(template: &str, page: &P) -> TeraResult<String> {
    #[cfg(debug_assertions)]
    if let Some(folder) = crate::dev::folder() {
        return folder.draw(template, page);
    }
    draw_with(&TERA, template, page)
}

/// Draws `page` with the template of that name among these.
pub(crate) fn draw_with<P: Serialize>(tera: &Tera, template: &str, page: &P) -> TeraResult<String> {
    tera.render(template, &Context::from_serialize(page)?)
}

/// Reads these templates. `path_of` says where the static file of a name is served.
///
/// Functions and filters first: tera checks a template against them when it is added.
pub(crate) fn read<T: AsRef<str>>(
    pages: impl IntoIterator<Item = (&'static str, T)>,
    path_of: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> TeraResult<Tera> {
    let mut tera = Tera::new();
    tera.register_function("static_path", move |kwargs: Kwargs, _: &State| {
        let name: &str = kwargs.must_get("name")?;
        path_of(name).ok_or_else(|| Error::message(format!("no static file named {name}")))
    });
    tera.register_filter("grouped", grouped);
    tera.register_filter("percent", percent);
    tera.add_raw_templates(pages)?;
    Ok(tera)
}

/// `12345` as `12,345`: `result.js` writes numbers the same way.
fn grouped(number: u64, _: Kwargs, _: &State) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share with its one decimal: `50` as `50.0%`.
fn percent(share: f64, _: Kwargs, _: &State) -> String {
    format!("{share:.1}%")
}
