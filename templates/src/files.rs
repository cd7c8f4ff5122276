//! The static files, part of the program.
//!
//! Promise: a static file's path changes with its content.

use std::sync::LazyLock;

const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files in `static/`: the name, the content type, and the content.
pub(crate) const STATIC: [(&str, &str, &[u8]); 12] = [
    ("urna.css", STYLE, include_bytes!("../static/urna.css")),
    ("docs.css", STYLE, include_bytes!("../static/docs.css")),
    ("invites.css", STYLE, include_bytes!("../static/invites.css")),
    ("admin.css", STYLE, include_bytes!("../static/admin.css")),
    ("admin.js", SCRIPT, include_bytes!("../static/admin.js")),
    ("vote.js", SCRIPT, include_bytes!("../static/vote.js")),
    ("result.js", SCRIPT, include_bytes!("../static/result.js")),
    ("round.js", SCRIPT, include_bytes!("../static/round.js")),
    ("present.js", SCRIPT, include_bytes!("../static/present.js")),
    ("screens.css", STYLE, include_bytes!("../static/screens.css")),
    ("og.png", "image/png", include_bytes!("../static/og.png")),
    ("favicon.svg", "image/svg+xml", include_bytes!("../static/favicon.svg")),
];

static FILES: LazyLock<Vec<StaticFile>> = LazyLock::new(|| {
    STATIC.into_iter().map(|(name, content_type, body)| StaticFile::new(name, content_type, body)).collect()
});

/// A file the pages load. It may be cached for ever: other content has another path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticFile {
    /// Where the pages look for it: `/static/<name>-<hash of the content>.<extension>`.
    pub path: String,
    /// For the `Content-Type` header.
    pub content_type: &'static str,
    /// What is in it.
    pub body: &'static [u8],
    name: &'static str,
}

impl StaticFile {
    fn new(name: &'static str, content_type: &'static str, body: &'static [u8]) -> Self {
        Self { path: path_of_content(name, body), content_type, body, name }
    }
}

/// Every static file, to be served at its path.
pub fn static_files() -> &'static [StaticFile] {
    &FILES
}

/// Where the file called `name` under `static/` is served.
pub(crate) fn path_of(name: &str) -> Option<String> {
    FILES.iter().find(|file| file.name == name).map(|file| file.path.clone())
}

/// Where the file called `name` is served while this is its content.
pub(crate) fn path_of_content(name: &str, content: &[u8]) -> String {
    let (stem, extension) = name.split_once('.').expect("a static file has an extension");
    format!("/static/{stem}-{:016x}.{extension}", fnv1a([content]))
}

/// FNV-1a, 64 bits, of all the pieces together: it names versions of our own files, nobody gains by forging one.
pub(crate) fn fnv1a<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in pieces.into_iter().flatten() {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_files_path_changes_with_its_content() {
        let before = StaticFile::new("urna.css", "text/css", b"body {}");
        let after = StaticFile::new("urna.css", "text/css", b"body { }");

        assert_ne!(before.path, after.path);
        assert_eq!(
            StaticFile::new("a.js", "text/javascript", b"foobar").path,
            "/static/a-85944171f73967e8.js"
        );
    }
}
