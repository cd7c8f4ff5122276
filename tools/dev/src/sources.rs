//! What a program is built from, and whether any of it has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// When each of these files was changed last; `None` for one that is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<PathBuf, Option<SystemTime>>);

impl Sources {
    /// These files, as they are now.
    pub fn now(files: BTreeSet<PathBuf>) -> Self {
        Self(files.into_iter().map(|file| (file.clone(), modified(&file))).collect())
    }

    /// Whether any of them is another one now.
    pub fn have_changed(&self) -> bool {
        self.0.iter().any(|(file, then)| modified(file) != *then)
    }

    /// The same files as they were before a build that began at this moment, as far as `before` knows them. One that it
    /// does not know counts as changed when that happened since.
    pub fn before(self, before: &Self, began: SystemTime) -> Self {
        let then = |file: &PathBuf, now: Option<SystemTime>| match before.0.get(file) {
            Some(known) => *known,
            None => now.filter(|now| *now <= began),
        };
        Self(self.0.into_iter().map(|(file, now)| (file.clone(), then(&file, now))).collect())
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// The files of the workspace in this folder that a program was built from, its manifests included. cargo writes them
/// to `dep_info` with each build, in the form of a makefile. None before the first.
pub fn files_of(dep_info: &Path, workspace: &Path) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(dep_info).unwrap_or_default();
    let sources = listed(&text).into_iter().filter_map(|file| file.canonicalize().ok());
    let mut files: BTreeSet<PathBuf> = sources.filter(|file| file.starts_with(workspace)).collect();
    let folders: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    let manifests = folders.into_iter().map(|folder| folder.join("Cargo.toml"));
    let manifests: Vec<_> = manifests.filter(|it| it.starts_with(workspace) && it.is_file()).collect();
    files.extend(manifests);
    files
}

/// The files behind the colon. A space in a name has a backslash before it.
fn listed(dep_info: &str) -> Vec<PathBuf> {
    let Some((_, files)) = dep_info.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let mut listed: Vec<String> = Vec::new();
    let mut is_continued = false;
    for word in files.split(' ').filter(|word| !word.is_empty()) {
        let (word, is_cut) = word.strip_suffix('\\').map_or((word, false), |word| (word, true));
        match listed.last_mut().filter(|_| is_continued) {
            Some(last) => *last = format!("{last} {word}"),
            None => listed.push(word.to_owned()),
        }
        is_continued = is_cut;
    }
    listed.into_iter().map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn files_are_read_as_cargo_lists_them() {
        let listed = listed("/t/urna: /w/a.rs /w/two\\ words.rs /w/b.rs\n\n/w/a.rs:\n");
        assert_eq!(listed, ["/w/a.rs", "/w/two words.rs", "/w/b.rs"].map(PathBuf::from));
        assert!(super::listed("").is_empty());
    }

    #[test]
    fn a_file_that_was_changed_while_a_build_ran_is_changed_after_it() {
        let moment = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let of = |files: &[(&str, u64)]| {
            Sources(files.iter().map(|(file, at)| (PathBuf::from(file), Some(moment(*at)))).collect())
        };
        let before = of(&[("/known", 1), ("/changed", 1), ("/gone", 1)]);
        let after = of(&[("/known", 1), ("/changed", 7), ("/unknown-old", 2), ("/unknown-new", 7)]);
        let then = after.before(&before, moment(5));
        let expected = [
            ("/changed", Some(moment(1))),
            ("/known", Some(moment(1))),
            ("/unknown-new", None),
            ("/unknown-old", Some(moment(2))),
        ];
        assert_eq!(then.0.into_iter().collect::<Vec<_>>(), expected.map(|(file, at)| (file.into(), at)));
    }

    #[test]
    fn a_file_has_changed_when_it_is_written_or_missing() {
        let file = std::env::temp_dir().join(format!("urna-dev-{}", std::process::id()));
        std::fs::write(&file, "1").unwrap();
        let sources = Sources::now([file.clone()].into());
        assert!(!sources.have_changed());
        std::fs::File::open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(sources.have_changed());
        let sources = Sources::now([file.clone()].into());
        std::fs::remove_file(&file).unwrap();
        assert!(sources.have_changed());
    }
}
