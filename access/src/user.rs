//! The users of the NATS server. A process, a command and a person each have one of their own.

use subjects::Account;

/// An account of the NATS server. No message gets from one into another, except where the configuration says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerAccount {
    /// Rounds, keys, ballots, counts, pictures.
    Elections,
    /// Accounts of people and their sessions.
    People,
    /// People who look at elections. It stores nothing: what its users request, the server answers from
    /// [`ServerAccount::Elections`], and an answer can go nowhere but back to them.
    Audit,
    /// People who help others with their accounts. It stores nothing, as [`ServerAccount::Audit`], and looks at
    /// [`ServerAccount::People`].
    Support,
    /// The server itself.
    System,
}

/// A user of the NATS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// `urna deploy`, for the standing streams of elections.
    Deploy,
    /// `urna deploy`, for the standing streams of people.
    DeployPeople,
    /// The process `round`.
    Round,
    /// The process `vote`.
    Vote,
    /// The process `tally`.
    Tally,
    /// The process `result`.
    Result,
    /// The process `login`.
    Login,
    /// The process `session`.
    Session,
    /// `urna recount`.
    Recount,
    /// `urna close`.
    Close,
    /// Saves streams of elections to files.
    Backup,
    /// Creates streams of elections from such files.
    Restore,
    /// Deletes logs that were saved.
    Archive,
    /// Saves streams of people to files.
    BackupPeople,
    /// Creates streams of people from such files.
    RestorePeople,
    /// A person who checks elections: reads rounds, logs and counts.
    Auditor,
    /// A person who runs Urna: also reads what could not be handled, and lists readers.
    Operator,
    /// A person who helps others with their accounts: reads what happened to them.
    Support,
    /// A person who runs the NATS servers.
    System,
}

impl ServerAccount {
    /// Every account.
    pub const ALL: [Self; 5] = [Self::Elections, Self::People, Self::Audit, Self::Support, Self::System];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elections => "ELECTIONS",
            Self::People => "PEOPLE",
            Self::Audit => "AUDIT",
            Self::Support => "SUPPORT",
            Self::System => "SYSTEM",
        }
    }

    /// Whether it stores streams.
    pub const fn has_jetstream(self) -> bool {
        matches!(self, Self::Elections | Self::People)
    }

    /// The account whose streams its users look at: its own, or the one it imports.
    pub const fn streams_of(self) -> Option<Account> {
        match self {
            Self::Elections | Self::Audit => Some(Account::Elections),
            Self::People | Self::Support => Some(Account::People),
            Self::System => None,
        }
    }

    /// What begins the subjects of the JetStream API in it.
    pub const fn api_prefix(self) -> &'static str {
        match self {
            // Under another name than the account's own, which would answer that it has no JetStream.
            Self::Audit => "JS.ELECTIONS.API",
            Self::Support => "JS.PEOPLE.API",
            _ => "$JS.API",
        }
    }
}

impl From<Account> for ServerAccount {
    fn from(account: Account) -> Self {
        match account {
            Account::Elections => Self::Elections,
            Account::People => Self::People,
        }
    }
}

impl User {
    /// Every user.
    pub const ALL: [Self; 19] = [
        Self::Deploy,
        Self::DeployPeople,
        Self::Round,
        Self::Vote,
        Self::Tally,
        Self::Result,
        Self::Login,
        Self::Session,
        Self::Recount,
        Self::Close,
        Self::Backup,
        Self::Restore,
        Self::Archive,
        Self::BackupPeople,
        Self::RestorePeople,
        Self::Auditor,
        Self::Operator,
        Self::Support,
        Self::System,
    ];

    /// The user's name: that of the process, of the command, or of what the person does.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::DeployPeople => "deploy-people",
            Self::Round => "round",
            Self::Vote => "vote",
            Self::Tally => "tally",
            Self::Result => "result",
            Self::Login => "login",
            Self::Session => "session",
            Self::Recount => "recount",
            Self::Close => "close",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Archive => "archive",
            Self::BackupPeople => "backup-people",
            Self::RestorePeople => "restore-people",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Support => "support",
            Self::System => "system",
        }
    }

    /// The account the user is in.
    pub const fn account(self) -> ServerAccount {
        match self {
            Self::DeployPeople | Self::Login | Self::Session | Self::BackupPeople | Self::RestorePeople => {
                ServerAccount::People
            }
            Self::Support => ServerAccount::Support,
            Self::Auditor | Self::Operator => ServerAccount::Audit,
            Self::System => ServerAccount::System,
            _ => ServerAccount::Elections,
        }
    }

    /// Whether a process of Urna runs as this user, and is in the service registry by this name.
    pub const fn is_process(self) -> bool {
        matches!(self, Self::Round | Self::Vote | Self::Tally | Self::Result | Self::Login | Self::Session)
    }

    /// What begins the subjects on which the user gets answers. Nobody else may subscribe there.
    pub fn inbox_prefix(self) -> String {
        format!("_INBOX_{}", self.name())
    }

    /// The variable in which nats-server finds the user's password.
    pub fn password_variable(self) -> String {
        format!("NATS_PASSWORD_{}", self.name().to_uppercase().replace('-', "_"))
    }
}
