//! Development: pages and static files as they are in a folder now, instead of those in the program. Only debug builds
//! contain this module.
//!
//! A page that is drawn from a folder carries a script. It loads the page again when [`Folder::version`] has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Serialize;
use tera::{Context, Error, Tera, TeraResult};

use crate::RenderError;
use crate::draw::{PAGES, draw_with, read};
use crate::files::{STATIC, fnv1a, path_of_content};

/// The script that loads a page again, to be served at [`SCRIPT_PATH`].
pub const SCRIPT: &str = include_str!("../dev/reload.js");
/// Where pages look for [`SCRIPT`].
pub const SCRIPT_PATH: &str = "/dev/reload.js";

/// What is shown instead of a page that cannot be drawn.
const FAULT_PAGE: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
     <title>A template is wrong</title>\n</head>\n<body>\n<h1>A template is wrong</h1>\n\
     <pre>{{ fault }}</pre>\n</body>\n</html>\n";

static FOLDER: OnceLock<Folder> = OnceLock::new();

/// The folder of templates, with `pages/` and `static/` in it.
#[derive(Debug)]
pub struct Folder(PathBuf);

/// From now on this process draws its pages from this folder, and reads it again for each page. Only the first call
/// has an effect.
pub fn read_from(folder: PathBuf) {
    FOLDER.get_or_init(|| Folder(folder));
}

/// The folder that pages are drawn from; `None` for those in the program.
pub fn folder() -> Option<&'static Folder> {
    FOLDER.get()
}

impl Folder {
    /// Changes when a file in the folder changes, and with each start of the process.
    pub fn version(&self) -> String {
        let pages = PAGES.iter().map(|(name, _)| self.page(name));
        let contents: Vec<_> = pages.chain(STATIC.iter().map(|(name, ..)| self.static_path(name))).collect();
        // A file that an editor is just replacing is missing for a moment.
        let contents: Vec<_> = contents.iter().map(|path| std::fs::read(path).unwrap_or_default()).collect();
        let hash = fnv1a(contents.iter().map(Vec::as_slice));
        format!("{}-{hash:016x}", std::process::id())
    }

    /// The content type and the content of the file that pages load as `/static/{file}`, whatever its content was
    /// when the page was drawn. `None` when there is none of this name.
    pub fn static_file(&self, file: &str) -> Option<(&'static str, Vec<u8>)> {
        let (stem, extension) = file.split_once('.')?;
        let (stem, _hash) = stem.rsplit_once('-')?;
        let name = format!("{stem}.{extension}");
        let (name, content_type, _) = STATIC.iter().find(|(known, ..)| *known == name)?;
        Some((content_type, std::fs::read(self.static_path(name)).ok()?))
    }

    /// What is shown instead of a page that cannot be drawn: where the template is wrong, until it is right.
    pub fn fault_page(&self, fault: &RenderError) -> String {
        let context = Context::from_serialize(&BTreeMap::from([("fault", fault.to_string())]));
        let page = context.and_then(|context| Tera::one_off(FAULT_PAGE, &context, true));
        let page = page.expect("the page of a fault is right");
        with_script(&page, &self.version())
    }

    pub(crate) fn draw<P: Serialize>(&self, template: &str, page: &P) -> TeraResult<String> {
        // Before the templates: what changes in between makes the page load once more.
        let version = self.version();
        let mut pages = Vec::new();
        for (name, _) in PAGES {
            pages.push((name, read_text(&self.page(name))?));
        }
        let folder = self.0.clone();
        let tera = read(pages, move |name| Self(folder.clone()).path_of(name))?;
        Ok(with_script(&draw_with(&tera, template, page)?, &version))
    }

    /// Where the static file of this name is served.
    fn path_of(&self, name: &str) -> Option<String> {
        let (name, ..) = STATIC.iter().find(|(known, ..)| *known == name)?;
        Some(path_of_content(name, &std::fs::read(self.static_path(name)).ok()?))
    }

    fn page(&self, name: &str) -> PathBuf {
        self.0.join("pages").join(name)
    }

    fn static_path(&self, name: &str) -> PathBuf {
        self.0.join("static").join(name)
    }
}

fn read_text(path: &Path) -> TeraResult<String> {
    std::fs::read_to_string(path)
        .map_err(|fault| Error::message(format!("failed to read {}: {fault}", path.display())))
}

fn with_script(html: &str, version: &str) -> String {
    let script =
        format!("<script type=\"module\" src=\"{SCRIPT_PATH}?version={version}\"></script>\n</head>");
    html.replacen("</head>", &script, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HomePage, ReceiptPage};

    /// A copy of the templates that is gone with the test.
    struct Copy(Folder);

    impl Copy {
        fn of_the_templates(test: &str) -> Self {
            let to = std::env::temp_dir().join(format!("urna-templates-{test}-{}", std::process::id()));
            let from = Path::new(env!("CARGO_MANIFEST_DIR"));
            for folder in ["pages", "static"] {
                std::fs::create_dir_all(to.join(folder)).unwrap();
                for entry in std::fs::read_dir(from.join(folder)).unwrap() {
                    let entry = entry.unwrap();
                    std::fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
                }
            }
            Self(Folder(to))
        }

        fn write(&self, file: &str, content: &str) {
            std::fs::write(self.0.0.join(file), content).unwrap();
        }

        fn draws_home(&self) -> Result<String, Error> {
            self.0.draw("home.html", &HomePage::samples()[0])
        }
    }

    impl Drop for Copy {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0.0);
        }
    }

    #[test]
    fn a_page_from_a_folder_is_the_one_in_the_program_and_a_script() {
        let copy = Copy::of_the_templates("same");
        let page = &ReceiptPage::samples()[0];
        let version = copy.0.version();
        let script = format!("<script type=\"module\" src=\"/dev/reload.js?version={version}\"></script>\n");
        let drawn = copy.0.draw("receipt.html", page).unwrap();
        assert_eq!(drawn.replacen(&script, "", 1), page.render().unwrap());
        assert!(drawn.contains(&script), "{drawn}");
        assert!(!page.render().unwrap().contains("/dev/"));
    }

    #[test]
    fn a_changed_file_changes_the_version_and_its_path_and_is_served() {
        let copy = Copy::of_the_templates("changed");
        let before = (copy.0.version(), copy.0.path_of("urna.css").unwrap());
        copy.write("static/urna.css", "body { color: teal }");
        let after = (copy.0.version(), copy.0.path_of("urna.css").unwrap());
        assert_ne!(before.0, after.0);
        assert_ne!(before.1, after.1);
        assert!(copy.draws_home().unwrap().contains(&after.1));
        for path in [&before.1, &after.1] {
            let (content_type, content) = copy.0.static_file(path.trim_start_matches("/static/")).unwrap();
            assert_eq!(
                (content_type, content.as_slice()),
                ("text/css; charset=utf-8", &b"body { color: teal }"[..])
            );
        }
        for none in ["urna.css", "other-0.css", "..-0.css", "urna-0.js", ""] {
            assert!(copy.0.static_file(none).is_none(), "{none}");
        }
        copy.write("pages/home.html", "changed");
        assert_ne!(copy.0.version(), after.0);
    }

    #[test]
    fn a_wrong_template_says_where_it_is_wrong_until_it_is_right() {
        let copy = Copy::of_the_templates("wrong");
        let right = std::fs::read_to_string(copy.0.page("home.html")).unwrap();
        copy.write("pages/home.html", "{% extends \"layout.html\" %}\n{% block main %}<b>{{ nothing( }}");
        let source = copy.draws_home().unwrap_err();
        let page = copy.0.fault_page(&RenderError { template: "home.html", source });
        assert!(page.contains("home.html:2") && page.contains("nothing("), "{page}");
        assert!(page.contains("&lt;b&gt;") && page.contains(SCRIPT_PATH), "{page}");
        copy.write("pages/home.html", &right);
        assert!(copy.draws_home().unwrap().starts_with("<!doctype html>"));
    }
}
