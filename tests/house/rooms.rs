//! The house keeps its own rules: the table of rooms, the promises, the licences.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata};
use urna_world::{house, sources};

use crate::files::{folder_of, metadata, quoted, read, table};

/// What a room may use.
#[derive(Debug, Default, PartialEq, Eq)]
struct Room {
    ours: BTreeSet<String>,
    worlds: BTreeSet<String>,
}

fn rooms_of_the_table() -> BTreeMap<String, Room> {
    let rows = table(&read("ARCHITECTURE.md"), "| room |");
    let rows = rows.into_iter().filter(|row| row[1] != "all");
    rows.map(|row| (row[0].replace('`', ""), Room { ours: quoted(&row[1]), worlds: quoted(&row[2]) }))
        .collect()
}

/// The crates that only tests may use, as the sentence below the table says.
fn only_for_tests() -> BTreeSet<String> {
    let text = read("ARCHITECTURE.md");
    let sentence = text.lines().find(|line| line.starts_with("Only for its tests, "));
    quoted(sentence.expect("ARCHITECTURE.md says what only tests may use"))
}

fn rooms_of_the_workspace(metadata: &Metadata) -> BTreeMap<String, Room> {
    let members = metadata.workspace_packages();
    let names: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let only_for_tests = only_for_tests();
    let mut rooms = BTreeMap::new();
    for package in &members {
        let mut room = Room::default();
        for dependency in &package.dependencies {
            let kind = match only_for_tests.contains(&dependency.name) {
                true if package.name.as_str() != "tests" => DependencyKind::Development,
                _ => DependencyKind::Normal,
            };
            assert_eq!(dependency.kind, kind, "{} in {}", dependency.name, package.name);
            if kind == DependencyKind::Development {
                continue;
            }
            let used =
                if names.contains(dependency.name.as_str()) { &mut room.ours } else { &mut room.worlds };
            used.insert(dependency.name.clone());
        }
        rooms.insert(folder_of(package), room);
    }
    rooms.remove("tests");
    rooms
}

#[test]
fn rooms_use_what_the_table_of_rooms_says_and_nothing_else() {
    let (table, workspace) = (rooms_of_the_table(), rooms_of_the_workspace(&metadata()));
    assert_eq!(table.keys().collect::<Vec<_>>(), workspace.keys().collect::<Vec<_>>());
    for (room, told) in &table {
        assert_eq!(told, &workspace[room], "ARCHITECTURE.md and Cargo.toml do not agree about {room}");
    }
}

#[test]
fn no_actor_may_use_another() {
    // One puts them together, one reads their constants, and one simulates their state machines.
    let may_use_actors = ["bins", "tools/scale", "tools/sim"];
    let actors = ["login", "result", "round", "session", "tally", "vote"];
    for (room, told) in rooms_of_the_table() {
        let uses_actor = actors.iter().any(|actor| told.ours.contains(*actor));
        assert!(!uses_actor || may_use_actors.contains(&room.as_str()), "{room} uses an actor");
    }
}

#[test]
fn only_the_simulator_turns_mutations_on() {
    for package in metadata().workspace_packages() {
        let uses = package.dependencies.iter().filter(|used| used.name == "urna-mutation");
        let turns_on = uses.clone().any(|used| !used.features.is_empty());
        assert_eq!(turns_on, folder_of(package) == "tools/sim", "{}", package.name);
    }
    let default = metadata().packages.into_iter().find(|package| package.name == "urna-mutation");
    assert!(!default.expect("it is in the workspace").features.contains_key("default"));
}

#[test]
fn every_promise_has_a_test_whose_name_is_the_same_sentence() {
    let mut promises = Vec::new();
    let mut tests = BTreeSet::new();
    for file in sources(&house()) {
        let text = read(&file);
        promises.extend(promises_of(&text));
        tests.extend(tests_of(&text));
    }
    assert!(promises.len() >= 8, "{promises:?}");
    for promise in promises {
        let name = name_of(&promise);
        assert!(tests.iter().any(|test| test.starts_with(&name)), "no test is called {name}");
    }
}

/// The `Promise:` paragraphs of a module doc.
fn promises_of(text: &str) -> Vec<String> {
    let doc: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let paragraphs = doc.split(|line| line.is_empty()).map(|lines| lines.join(" "));
    paragraphs.filter_map(|paragraph| paragraph.strip_prefix("Promise: ").map(str::to_owned)).collect()
}

fn tests_of(text: &str) -> Vec<String> {
    let names = text.lines().filter_map(|line| {
        let line = line.trim().trim_start_matches("async ");
        line.strip_prefix("fn ")?.split('(').next()
    });
    names.map(str::to_owned).collect()
}

/// A sentence as the name of a function.
fn name_of(sentence: &str) -> String {
    let letters = sentence.to_lowercase().replace(['\'', '’'], "");
    let words = letters.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

#[test]
fn every_licence_is_one_that_deny_toml_allows() {
    let deny = read("deny.toml");
    let list =
        deny.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list of licences");
    let allowed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
    for package in &metadata().packages {
        let licence =
            package.license.clone().unwrap_or_default().replace('/', " OR ").replace(['(', ')'], "");
        // Every choice of alternatives between the ANDs must hold one that is allowed.
        let is_allowed =
            licence.split(" AND ").all(|part| part.split(" OR ").any(|one| allowed.contains(one.trim())));
        assert!(is_allowed, "{} {} is under {licence:?}", package.name, package.version);
    }
}
