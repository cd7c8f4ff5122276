//! The table of CONTRIBUTING.md that says which command tests what was changed: it is complete, and its commands exist.

use std::collections::BTreeSet;

use urna_world::{house, sources};

use crate::files::{folder_of, metadata, quoted, read, table};

/// The rows: what was changed, and the commands.
fn rows() -> Vec<(BTreeSet<String>, BTreeSet<String>)> {
    let rows = table(&read("CONTRIBUTING.md"), "| you changed |");
    rows.iter().map(|row| (quoted(&row[0]), quoted(&row[1]))).collect()
}

fn makefile() -> String {
    read("Makefile")
}

/// The targets that are no files.
fn targets(makefile: &str) -> BTreeSet<&str> {
    let phony = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY:"));
    phony.flat_map(str::split_whitespace).collect()
}

#[test]
fn every_crate_has_a_command_that_tests_a_change_of_it() {
    let told: BTreeSet<String> = rows().into_iter().flat_map(|(changed, _)| changed).collect();
    for package in metadata().workspace_packages() {
        let folder = folder_of(package);
        assert!(
            told.contains(&folder),
            "CONTRIBUTING.md does not say what to run after a change of {folder}"
        );
    }
    for path in told {
        assert!(house().join(&path).exists(), "there is no {path}");
    }
}

#[test]
fn every_command_of_the_table_of_changes_exists() {
    let (makefile, metadata) = (makefile(), metadata());
    let targets = targets(&makefile);
    let packages: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    for (changed, commands) in rows() {
        assert!(!commands.is_empty(), "nothing to run after a change of {changed:?}");
        for command in commands {
            let words: Vec<&str> = command.split_whitespace().collect();
            let exists = match words[..] {
                ["make", target, ..] => targets.contains(target),
                ["cargo", "test" | "bench", "-p", package] => packages.contains(package),
                _ => false,
            };
            assert!(exists, "{command} does not exist");
            for name in words.iter().filter_map(|word| word.strip_prefix("NAME=")) {
                assert!(is_in_the_name_of_a_test(name), "no test is run by {command}");
            }
        }
    }
}

/// Whether a test's own name, or the path of its file, contains it.
fn is_in_the_name_of_a_test(name: &str) -> bool {
    let tests = house().join("tests");
    sources(&tests).iter().any(|file| {
        let path = file.strip_prefix(&tests).expect("a file of the tests").to_string_lossy();
        path.contains(name) || read(file).lines().any(|line| line.contains("fn ") && line.contains(name))
    })
}

#[test]
fn make_lists_every_target() {
    let makefile = makefile();
    for target in targets(&makefile) {
        let told = makefile.lines().any(|line| line.starts_with(&format!("{target}: ##")));
        assert!(told, "make does not say what {target} does");
    }
}
