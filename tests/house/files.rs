//! The files of the house, as its tests read them.

use std::collections::BTreeSet;
use std::path::Path;

use cargo_metadata::{Metadata, MetadataCommand, Package};
use urna_world::house;

/// What cargo knows about the workspace.
pub fn metadata() -> Metadata {
    MetadataCommand::new().current_dir(house()).exec().expect("cargo describes the workspace")
}

/// The folder of a member of the workspace.
pub fn folder_of(package: &Package) -> String {
    let folder = package.manifest_path.parent().expect("a manifest lies in a folder");
    let folder =
        folder.strip_prefix(house().to_str().expect("a path of text")).expect("a member lies in the house");
    folder.as_str().to_owned()
}

/// The text of a file.
pub fn read(file: impl AsRef<Path>) -> String {
    let file = house().join(file);
    std::fs::read_to_string(&file)
        .unwrap_or_else(|fault| panic!("failed to read {}: {fault}", file.display()))
}

/// The rows of the markdown table that begins with `header`, as cells.
pub fn table(text: &str, header: &str) -> Vec<Vec<String>> {
    let rows = text.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// The words between backquotes.
pub fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
