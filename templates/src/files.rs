//! The static files, part of the program.
//!
//! Promise: a static file's path changes with its content.

use std::sync::LazyLock;

static FILES: LazyLock<Vec<StaticFile>> = LazyLock::new(|| {
    vec![
        StaticFile::new("urna.css", "text/css; charset=utf-8", include_bytes!("../static/urna.css")),
        StaticFile::new("docs.css", "text/css; charset=utf-8", include_bytes!("../static/docs.css")),
        StaticFile::new("invites.css", "text/css; charset=utf-8", include_bytes!("../static/invites.css")),
        StaticFile::new("admin.css", "text/css; charset=utf-8", include_bytes!("../static/admin.css")),
        StaticFile::new("admin.js", "text/javascript; charset=utf-8", include_bytes!("../static/admin.js")),
        StaticFile::new("vote.js", "text/javascript; charset=utf-8", include_bytes!("../static/vote.js")),
        StaticFile::new("result.js", "text/javascript; charset=utf-8", include_bytes!("../static/result.js")),
        StaticFile::new("round.js", "text/javascript; charset=utf-8", include_bytes!("../static/round.js")),
        StaticFile::new(
            "present.js",
            "text/javascript; charset=utf-8",
            include_bytes!("../static/present.js"),
        ),
        StaticFile::new("screens.css", "text/css; charset=utf-8", include_bytes!("../static/screens.css")),
        StaticFile::new("og.png", "image/png", include_bytes!("../static/og.png")),
        StaticFile::new("favicon.svg", "image/svg+xml", include_bytes!("../static/favicon.svg")),
    ]
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
        let (stem, extension) = name.split_once('.').expect("a static file has an extension");
        let path = format!("/static/{stem}-{:016x}.{extension}", fnv1a(body));
        Self { path, content_type, body, name }
    }
}

/// Every static file, to be served at its path.
pub fn static_files() -> &'static [StaticFile] {
    &FILES
}

/// Where the file called `name` under `static/` is served.
pub(crate) fn path_of(name: &str) -> Option<&'static str> {
    FILES.iter().find(|file| file.name == name).map(|file| file.path.as_str())
}

/// FNV-1a, 64 bits: it names versions of our own files, nobody gains by forging one.
fn fnv1a(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
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
