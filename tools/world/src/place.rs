//! Whose a server is.

use urna_servers::Server;

/// A server that a test declares it harms: it kills, pauses, fills or configures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// The nats-server.
    Nats,
    /// The PostgreSQL.
    Postgres,
    /// The Redis.
    Redis,
}

impl Own {
    /// Every server.
    pub const ALL: [Self; 3] = [Self::Nats, Self::Postgres, Self::Redis];
}

/// A server of a world.
pub(crate) enum Place {
    Own(Box<Server>),
    Shared(&'static Server),
}

impl Place {
    /// A server that only this world uses.
    pub fn of_its_own(server: Server) -> Self {
        Self::Own(Box::new(server))
    }

    /// The server, to ask it something.
    pub fn server(&self) -> &Server {
        match self {
            Self::Own(server) => server,
            Self::Shared(server) => server,
        }
    }

    /// The server, to harm it.
    pub fn own(&mut self, which: Own) -> &mut Server {
        match self {
            Self::Own(server) => server,
            Self::Shared(_) => {
                panic!(
                    "this {which:?} is shared: a test that harms it begins with World::owning(&[Own::{which:?}])"
                )
            }
        }
    }
}
