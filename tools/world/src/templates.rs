//! Templates that a test may change.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::house::house;

/// A copy of the pages and static files, gone with the test.
pub struct Templates(TempDir);

impl Templates {
    /// The templates as they are in the house.
    pub fn copy() -> Self {
        let copy = tempfile::tempdir().expect("a temporary folder can be made");
        for folder in ["pages", "static"] {
            let to = copy.path().join(folder);
            std::fs::create_dir(&to).expect("a folder can be made");
            for entry in
                std::fs::read_dir(house().join("templates").join(folder)).expect("a folder of the house")
            {
                let entry = entry.expect("an entry of a folder");
                std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a file can be copied");
            }
        }
        Self(copy)
    }

    /// The folder, as a setting.
    pub fn folder(&self) -> &str {
        self.0.path().to_str().expect("a path of text")
    }

    /// What is in a file.
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).expect("a file of text")
    }

    /// Writes a file anew.
    pub fn write(&self, file: &str, content: &str) {
        std::fs::write(self.path(file), content).expect("a file can be written");
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }
}
