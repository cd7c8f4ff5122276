//! How much is let through in a minute.

use clap::Args;

/// How many of a kind are let through in any minute; 0 lets all through.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits, each in any minute, 0 for none")]
pub struct Limits {
    /// Sign-ins from one address of the network
    #[arg(long = "limit-logins-by-address", env = "URNA_LIMIT_LOGINS_BY_ADDRESS", default_value_t = 60)]
    logins_by_address: u32,

    /// Sign-ins to one account
    #[arg(long = "limit-logins-by-account", env = "URNA_LIMIT_LOGINS_BY_ACCOUNT", default_value_t = 10)]
    logins_by_account: u32,

    /// Registrations from one address of the network
    #[arg(
        long = "limit-registrations-by-address",
        env = "URNA_LIMIT_REGISTRATIONS_BY_ADDRESS",
        default_value_t = 60
    )]
    registrations_by_address: u32,

    /// Registrations with one e-mail address
    #[arg(
        long = "limit-registrations-by-email",
        env = "URNA_LIMIT_REGISTRATIONS_BY_EMAIL",
        default_value_t = 5
    )]
    registrations_by_email: u32,

    /// Ballots from one address of the network. A school or an office may be behind one
    #[arg(long = "limit-votes-by-address", env = "URNA_LIMIT_VOTES_BY_ADDRESS", default_value_t = 6_000)]
    votes_by_address: u32,

    /// Ballots from one voter, all those that change an earlier one included
    #[arg(long = "limit-votes-by-voter", env = "URNA_LIMIT_VOTES_BY_VOTER", default_value_t = 60)]
    votes_by_voter: u32,

    /// Receipts that are looked up from one address of the network
    #[arg(
        long = "limit-receipts-by-address",
        env = "URNA_LIMIT_RECEIPTS_BY_ADDRESS",
        default_value_t = 1_200
    )]
    receipts_by_address: u32,
}

impl Limits {
    /// The same, for whoever counts.
    pub fn rates(&self) -> web::Rates {
        web::Rates {
            logins_by_address: self.logins_by_address,
            logins_by_account: self.logins_by_account,
            registrations_by_address: self.registrations_by_address,
            registrations_by_email: self.registrations_by_email,
            votes_by_address: self.votes_by_address,
            votes_by_voter: self.votes_by_voter,
            receipts_by_address: self.receipts_by_address,
        }
    }
}
