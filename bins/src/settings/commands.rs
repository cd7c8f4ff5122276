//! The commands of `urna`, and what can be said with each.

use clap::{Args, ValueEnum};
use subjects::{Email, RoundId};

/// What an operator can ask for. Without a command, Urna runs.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Create what the servers must have before any process starts
    ///
    /// Creates the standing streams on the NATS server and gives those that exist the settings this
    /// version declares, as the users `deploy` and `deploy-people`. Where the folder of credentials has
    /// passwords for Postgres, creates the roles and the schemas there, as the role of DATABASE_URL or
    /// DATABASE_USER, or as `deploy`. Running it again changes nothing. Run it once before the first
    /// start and after each update.
    Deploy {
        /// Show what would be created or changed, and do nothing; exits with 1 if there is something
        #[arg(long)]
        dry_run: bool,
    },

    /// Print the configuration of a server that enforces who may do what
    Permissions {
        /// Which server
        #[arg(value_enum)]
        server: Server,
    },

    /// Count again from the log alone, and compare with the scoreboard
    ///
    /// Exits with 0 when they agree and with 1 when they do not. Exits with 2 when it cannot
    /// tell. Reads the rounds and their logs, and publishes nothing. Votes may go on meanwhile.
    Recount(RecountArgs),

    /// Close a round: it is sealed, and its result is final
    Close {
        /// The round's name, as in its address
        round: RoundId,
    },

    /// Make an admin, or give one a new password
    ///
    /// Prints a new random password. The account with this address becomes an admin and is
    /// signed out everywhere.
    Admin {
        /// The admin's e-mail address [default: that of --admin-email]
        #[arg(long)]
        email: Option<Email>,
    },
}

/// A server whose configuration says who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Server {
    /// nats-server: its accounts and users. Passwords are its environment variables.
    Nats,
    /// Redis: its ACL file, with the hashes of the passwords in the folder of credentials.
    Redis,
}

/// What to recount, and how to tell.
#[derive(Clone, Debug, Args)]
pub struct RecountArgs {
    /// Recount this round only [default: all]
    #[arg(long)]
    pub round: Option<RoundId>,

    /// How to print the outcome
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,

    /// Put the log's counts in place of the scoreboard's where they differ
    #[arg(long)]
    pub repair: bool,
}

/// How an outcome is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
}
