//! What is limited, and how often it may be done.

/// The others are told of a voter or an address that votes when it has used this part of what it may.
const TOLD_PART: u32 = 10;

/// What is limited, and by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limited {
    /// Sign-ins from one network.
    LoginsByAddress,
    /// Sign-ins to one account.
    LoginsByAccount,
    /// New accounts from one network.
    RegistrationsByAddress,
    /// New accounts for one e-mail address.
    RegistrationsByEmail,
    /// Votes from one network.
    VotesByAddress,
    /// Votes of one voter.
    VotesByVoter,
    /// Receipts that one network looks up.
    ReceiptsByAddress,
}

/// How often a minute each thing may be done; 0 is as often as one likes, and the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// Sign-ins from one network.
    pub logins_by_address: u32,
    /// Sign-ins to one account.
    pub logins_by_account: u32,
    /// New accounts from one network.
    pub registrations_by_address: u32,
    /// New accounts for one e-mail address.
    pub registrations_by_email: u32,
    /// Votes from one network.
    pub votes_by_address: u32,
    /// Votes of one voter.
    pub votes_by_voter: u32,
    /// Receipts that one network looks up.
    pub receipts_by_address: u32,
}

impl Limited {
    pub(super) const ALL: [Self; 7] = [
        Self::LoginsByAddress,
        Self::LoginsByAccount,
        Self::RegistrationsByAddress,
        Self::RegistrationsByEmail,
        Self::VotesByAddress,
        Self::VotesByVoter,
        Self::ReceiptsByAddress,
    ];

    /// What it is called in metrics and in Redis.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LoginsByAddress => "logins_by_address",
            Self::LoginsByAccount => "logins_by_account",
            Self::RegistrationsByAddress => "registrations_by_address",
            Self::RegistrationsByEmail => "registrations_by_email",
            Self::VotesByAddress => "votes_by_address",
            Self::VotesByVoter => "votes_by_voter",
            Self::ReceiptsByAddress => "receipts_by_address",
        }
    }

    /// What there was too much of, for whoever did it.
    pub(super) fn excess(self) -> &'static str {
        match self {
            Self::LoginsByAddress => "Too many sign-ins from this network",
            Self::LoginsByAccount => "Too many sign-ins to this account",
            Self::RegistrationsByAddress => "Too many new accounts from this network",
            Self::RegistrationsByEmail => "Too many new accounts for this e-mail address",
            Self::VotesByAddress => "Too many votes from this network",
            Self::VotesByVoter => "Too many votes by this voter",
            Self::ReceiptsByAddress => "Too many receipts are looked up from this network",
        }
    }

    /// From which use in a minute on the others are told. Sign-ins are few, and each of them may be a guess. Votes and
    /// receipts are many, and nearly each is the only one of its voter: telling of those would cost more than the votes
    /// themselves. So a process may let through this many of a voter before it learns what the others have let through.
    pub(super) fn told_from(self, limit: u32) -> u32 {
        match self {
            Self::VotesByAddress | Self::VotesByVoter | Self::ReceiptsByAddress => {
                (limit / TOLD_PART).saturating_add(1).max(2)
            }
            _ => 1,
        }
    }
}

impl Rates {
    pub(super) fn of(&self, what: Limited) -> u32 {
        match what {
            Limited::LoginsByAddress => self.logins_by_address,
            Limited::LoginsByAccount => self.logins_by_account,
            Limited::RegistrationsByAddress => self.registrations_by_address,
            Limited::RegistrationsByEmail => self.registrations_by_email,
            Limited::VotesByAddress => self.votes_by_address,
            Limited::VotesByVoter => self.votes_by_voter,
            Limited::ReceiptsByAddress => self.receipts_by_address,
        }
    }
}
