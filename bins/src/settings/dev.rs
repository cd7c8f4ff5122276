//! Development. Only debug builds have these settings.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

/// What makes working on Urna easier.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Development, in debug builds only")]
pub struct Dev {
    /// Read pages and static files from pages/ and static/ in this folder, each time they are asked for; open pages load
    /// themselves again when one has changed [default: those in the program]
    #[arg(long, env = "URNA_DEV_TEMPLATES")]
    dev_templates: Option<PathBuf>,
}

impl Dev {
    /// The folder of templates, if pages are not those in the program.
    ///
    /// # Errors
    /// When it is not a folder of templates.
    pub fn templates(&self) -> anyhow::Result<Option<PathBuf>> {
        if let Some(folder) = &self.dev_templates {
            let is_one = folder.join("pages").is_dir() && folder.join("static").is_dir();
            ensure!(is_one, "{} is not a folder with pages/ and static/ in it", folder.display());
        }
        Ok(self.dev_templates.clone())
    }
}
