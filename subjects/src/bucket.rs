//! Where things are kept that are too large for a message. Declared as data; `nats` applies it.

/// A bucket of the JetStream object store: objects under names of their own, kept until they are deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name. Its stream is called `OBJ_` and this.
    pub name: &'static str,
    /// The largest object it holds, in bytes.
    pub object_max: usize,
}

impl Bucket {
    /// The pictures of options, as they are shown. Each has its [`PictureId`](crate::PictureId) as its name.
    pub const fn pictures() -> Self {
        Self { name: "PICTURES", object_max: 512 * 1024 }
    }

    /// The stream that stores it.
    pub fn stream(&self) -> String {
        format!("OBJ_{}", self.name)
    }

    /// The subjects that every client of the object store expects of it: those of the chunks, and of what is known of
    /// each object.
    pub fn subjects(&self) -> [String; 2] {
        let name = self.name;
        [format!("$O.{name}.C.>"), format!("$O.{name}.M.>")]
    }
}
