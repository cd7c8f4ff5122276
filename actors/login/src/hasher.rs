//! Passwords hashed and compared, on threads of their own and only so many at a time.

use std::sync::{Arc, LazyLock};

use actix::{Actor, Addr, Handler, Message, SyncArbiter, SyncContext};
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use metrics::histogram;
use nats::Clock;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many passwords may wait for a thread. What comes beyond that is turned away: a flood of logins must not fill
/// the memory, and nobody waits for an answer that long.
pub const WAITING_MAX: usize = 128;

/// What a hash costs: argon2id as OWASP recommends it, in KiB of memory, passes and lanes.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How far the threads stand back where everything wants to run at once: they get about a tenth of what another gets.
/// Further back, a crowd of votes would keep people from signing in.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

static ARGON2: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let cost = Params::new(MEMORY, PASSES, LANES, None).expect("the cost is one that argon2 knows");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
});

/// Hashes and compares. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hashing {
    threads: Addr<Hasher>,
    places: Arc<Semaphore>,
    /// The hash of a password that nobody has, for those without an account.
    nobodys: SecretString,
}

/// Why a password was neither hashed nor compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHashed {
    /// Too many wait already.
    #[error("too many people sign in at once")]
    Busy,
    /// The threads are gone.
    #[error("the threads that hash passwords are gone")]
    Gone,
}

/// What comparing a password with a hash shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// It is another one.
    Different,
    /// It is the one.
    Same,
    /// It is the one, and its hash is of another cost than one made today.
    SameButOutdated,
}

impl Hashing {
    /// Starts the threads, within an actix system.
    pub fn start(clock: Clock) -> Self {
        let nobodys = hash(&SecretString::from("a password that is nobody's"));
        let threads =
            SyncArbiter::start(threads(), move || Hasher { clock: clock.clone(), memory: Vec::new() });
        Self { threads, places: Arc::new(Semaphore::new(WAITING_MAX)), nobodys }
    }

    /// The hash of a password, with a salt of its own.
    ///
    /// # Errors
    /// [`NotHashed`].
    pub async fn hash(&self, password: SecretString) -> Result<SecretString, NotHashed> {
        let place = self.place()?;
        self.threads.send(HashPassword { password, place }).await.map_err(|_| NotHashed::Gone)
    }

    /// Compares a password with the hash of an account. Without an account it takes the same time, and they differ.
    ///
    /// # Errors
    /// [`NotHashed`].
    pub async fn compare(
        &self,
        password: SecretString,
        with: Option<SecretString>,
    ) -> Result<Compared, NotHashed> {
        let place = self.place()?;
        let is_known = with.is_some();
        let hash = with.unwrap_or_else(|| self.nobodys.clone());
        let compared = self.threads.send(ComparePassword { password, hash, place }).await;
        let compared = compared.map_err(|_| NotHashed::Gone)?;
        Ok(if is_known { compared } else { Compared::Different })
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, NotHashed> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| NotHashed::Busy)
    }
}

/// The hash of a password, with a salt of its own. Takes a while and keeps the thread busy.
pub fn hash(password: &SecretString) -> SecretString {
    let hash = ARGON2.hash_password(password.expose_secret().as_bytes());
    SecretString::from(hash.expect("the system has random numbers").to_string())
}

fn compare(password: &SecretString, hash: &SecretString, memory: &mut Vec<Block>) -> Compared {
    match is_of(password, hash, memory) {
        Some(true) if is_outdated(hash) => Compared::SameButOutdated,
        Some(true) => Compared::Same,
        Some(false) | None => Compared::Different,
    }
}

/// Whether the hash is that of the password; `None` for what is no hash of argon2's.
fn is_of(password: &SecretString, hash: &SecretString, memory: &mut Vec<Block>) -> Option<bool> {
    let known = PasswordHash::new(hash.expose_secret()).ok()?;
    let (salt, output) = (known.salt?, known.hash?);
    let algorithm = Algorithm::try_from(known.algorithm.as_str()).ok()?;
    let version = known.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let cost = Params::try_from(&known).ok()?;
    memory.resize(cost.block_count(), Block::default());
    let mut computed = [0; Output::MAX_LENGTH];
    let computed = computed.get_mut(..output.len())?;
    Argon2::new(algorithm, version, cost)
        .hash_password_into_with_memory(password.expose_secret().as_bytes(), &salt, computed, memory)
        .ok()?;
    // Outputs are compared in constant time.
    Some(Output::new(computed).ok()? == output)
}

fn is_outdated(hash: &SecretString) -> bool {
    let todays = format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}$");
    !hash.expose_secret().starts_with(&todays)
}

/// Half of the cores, so that the other half is left for votes.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1))
}

/// One of the threads.
#[derive(Debug)]
pub struct Hasher {
    clock: Clock,
    /// What the last comparison filled, kept while others wait. Memory that is taken anew for each is first brought in
    /// page by page, and every other thread of the process that wants memory meanwhile waits behind a thread that
    /// stands back.
    memory: Vec<Block>,
}

/// The place is given back when the work is done, even if nobody waits for it any more.
#[derive(Message)]
#[rtype(result = "SecretString")]
struct HashPassword {
    password: SecretString,
    place: OwnedSemaphorePermit,
}

#[derive(Message)]
#[rtype(result = "Compared")]
struct ComparePassword {
    password: SecretString,
    hash: SecretString,
    place: OwnedSemaphorePermit,
}

impl Actor for Hasher {
    type Context = SyncContext<Self>;

    /// The thread stands back for votes: on Linux, where each thread has a niceness of its own. Elsewhere it is one of
    /// half the cores.
    fn started(&mut self, _: &mut Self::Context) {
        #[cfg(target_os = "linux")]
        if let Err(fault) = rustix::process::nice(NICENESS) {
            tracing::debug!(%fault, "passwords are hashed at the priority of everything else");
        }
    }
}

impl Handler<HashPassword> for Hasher {
    type Result = actix::MessageResult<HashPassword>;

    fn handle(
        &mut self,
        HashPassword { password, place }: HashPassword,
        _: &mut SyncContext<Self>,
    ) -> Self::Result {
        let hashed = timed(&self.clock, || hash(&password));
        drop(place);
        actix::MessageResult(hashed)
    }
}

impl Handler<ComparePassword> for Hasher {
    type Result = actix::MessageResult<ComparePassword>;

    fn handle(&mut self, work: ComparePassword, _: &mut SyncContext<Self>) -> Self::Result {
        let ComparePassword { password, hash, place } = work;
        let memory = &mut self.memory;
        let compared = timed(&self.clock, || compare(&password, &hash, memory));
        if place.semaphore().available_permits() + 1 == WAITING_MAX {
            self.memory = Vec::new();
        }
        drop(place);
        actix::MessageResult(compared)
    }
}

fn timed<T>(clock: &Clock, work: impl FnOnce() -> T) -> T {
    let started = clock.monotonic();
    let done = work();
    histogram!("urna_login_hash_seconds").record(clock.monotonic().since(started));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[actix::test]
    async fn a_password_is_compared_with_its_own_hash_and_no_other() {
        let hashing = Hashing::start(Clock::system());
        let odd = format!("пароль \0 🐪 {}", "x".repeat(1_000));
        let hash = hashing.hash(secret(&odd)).await.unwrap();
        assert!(!hash.expose_secret().contains("пароль") && !format!("{hash:?}").contains("argon2"));
        let compare =
            async |password: &str| hashing.compare(secret(password), Some(hash.clone())).await.unwrap();
        assert_eq!(compare(&odd).await, Compared::Same);
        assert_eq!(compare(&odd.replace('\0', "")).await, Compared::Different);
        assert_eq!(compare(odd.split('\0').next().unwrap()).await, Compared::Different);
        let again = hashing.hash(secret(&odd)).await.unwrap();
        assert_ne!(again.expose_secret(), hash.expose_secret(), "a salt of its own");
    }

    #[actix::test]
    async fn nobodys_password_is_never_the_one() {
        let compared =
            Hashing::start(Clock::system()).compare(secret("a password that is nobody's"), None).await;
        assert_eq!(compared, Ok(Compared::Different));
    }

    #[actix::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let cheaper = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let hash = SecretString::from(cheaper.hash_password(b"correct horse").unwrap().to_string());
        let mut memory = Vec::new();
        assert_eq!(compare(&secret("correct horse"), &hash, &mut memory), Compared::SameButOutdated);
        assert_eq!(compare(&secret("wrong horse"), &hash, &mut memory), Compared::Different);
        assert_eq!(compare(&secret("correct horse"), &secret("no hash"), &mut memory), Compared::Different);
    }

    #[actix::test]
    async fn what_comes_when_every_place_is_taken_is_turned_away() {
        let hashing = Hashing::start(Clock::system());
        let places = Arc::clone(&hashing.places);
        let taken = places.try_acquire_many_owned(u32::try_from(WAITING_MAX).unwrap()).unwrap();
        assert_eq!(hashing.compare(secret("correct horse"), None).await, Err(NotHashed::Busy));
        drop(taken);
        assert_eq!(hashing.compare(secret("correct horse"), None).await, Ok(Compared::Different));
    }
}
