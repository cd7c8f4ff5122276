//! The keys of one limit, in bounded memory, and those of them that the others must be told about.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use super::window::{Moment, Told, Window};

/// How many sets there are; a power of two. Each has a lock of its own.
const SETS: usize = 4_096;
/// How many keys a set holds: 65,536 of them altogether, in 4 MB.
const PLACES: usize = 16;
/// How many keys wait to be told about. Beyond that a key is told about when it is next used.
const NEWS_MAX: usize = 10_000;
/// How many keys of one limit the others are told about at once.
const NEWS_AT_ONCE: usize = 500;

/// What is allowed in a minute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    /// How often a key may be used.
    pub limit: u32,
    /// From which use in this process on the others are told.
    pub told_from: u32,
}

/// What a key is called among processes: nothing can be told from it.
pub(super) type Name = [u8; 16];

/// Counts the uses of many keys.
///
/// A key has its place in one set, by a hash that nobody outside can foresee. When the set is full, the key that was
/// used least is forgotten. So a crowd of new keys drives out those that were used once or twice, which are far from
/// their limit; to free one that is refused, somebody would have to use tens of thousands of others as often. And
/// nobody is ever refused for want of room.
#[derive(Debug)]
pub(super) struct Table {
    hasher: RandomState,
    sets: Box<[Mutex<Vec<Entry>>]>,
    news: Mutex<VecDeque<u64>>,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    window: Window,
    /// From when it is first told about.
    name: Option<Name>,
    /// Whether it is among the news.
    waits: bool,
}

/// One key that the others are told about.
#[derive(Debug)]
pub(super) struct News {
    pub name: Name,
    pub told: Vec<Told>,
    hash: u64,
}

impl Table {
    pub fn new() -> Self {
        let sets = (0..SETS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), sets, news: Mutex::default() }
    }

    /// Counts one more use of `key` if there is room for it. The others know it by the name that `name` makes.
    ///
    /// # Errors
    /// After how many milliseconds there is room.
    pub fn take(
        &self,
        key: &[u8],
        allowed: Allowed,
        at: Moment,
        name: impl FnOnce() -> Name,
    ) -> Result<(), u64> {
        let hash = self.hasher.hash_one(key);
        let mut set = self.set(hash);
        let entry = place(&mut set, hash, at);
        entry.window.take(allowed.limit, at)?;
        if !entry.waits && entry.window.own() >= allowed.told_from {
            entry.name.get_or_insert_with(name);
            let mut news = locked(&self.news);
            entry.waits = news.len() < NEWS_MAX;
            if entry.waits {
                news.push_back(hash);
            }
        }
        Ok(())
    }

    /// The keys that the others must be told about, those that have waited longest.
    pub fn news(&self, at: Moment) -> Vec<News> {
        let waiting: Vec<u64> = {
            let mut news = locked(&self.news);
            let count = news.len().min(NEWS_AT_ONCE);
            news.drain(..count).collect()
        };
        waiting.into_iter().filter_map(|hash| self.news_of(hash, at)).collect()
    }

    /// Takes in what the others answered: how often they used the key in each minute; `None` when they are away.
    pub fn learn(&self, news: &News, others: Option<&[u32]>) {
        let mut set = self.set(news.hash);
        let Some(entry) = set.iter_mut().find(|entry| entry.hash == news.hash) else { return };
        entry.waits = others.is_none_or(|others| entry.window.learn(&news.told, others));
        if entry.waits {
            locked(&self.news).push_back(news.hash);
        }
    }

    fn news_of(&self, hash: u64, at: Moment) -> Option<News> {
        let mut set = self.set(hash);
        let entry = set.iter_mut().find(|entry| entry.hash == hash)?;
        if entry.window.is_over(at) {
            entry.waits = false;
            return None;
        }
        Some(News { name: entry.name?, told: entry.window.tell(), hash })
    }

    fn set(&self, hash: u64) -> MutexGuard<'_, Vec<Entry>> {
        locked(&self.sets[hash as usize % SETS])
    }
}

/// The key's entry, in the place of the one that was used least if there is no other.
fn place(set: &mut Vec<Entry>, hash: u64, at: Moment) -> &mut Entry {
    let found = set.iter().position(|entry| entry.hash == hash);
    let index = found.unwrap_or_else(|| {
        if set.len() == PLACES {
            // Of several the one that came first, which `remove` keeps in front.
            let least = (0..PLACES).min_by_key(|index| set[*index].window.weight(at)).unwrap_or_default();
            set.remove(least);
        }
        set.push(Entry { hash, window: Window::begin(at), name: None, waits: false });
        set.len() - 1
    });
    &mut set[index]
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics who holds it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use subjects::Timestamp;

    fn at(seconds: i64) -> Moment {
        Moment::of(Timestamp::from_unix_millis(1_795_253_400_000 + seconds * 1_000).unwrap())
    }

    fn take(table: &Table, key: &str, limit: u32) -> bool {
        table.take(key.as_bytes(), Allowed { limit, told_from: 1 }, at(0), || [7; 16]).is_ok()
    }

    #[test]
    fn keys_are_counted_apart_and_threads_together() {
        let table = Table::new();
        let admitted: usize = std::thread::scope(|threads| {
            let count = || (0..1_000).filter(|_| take(&table, "a", 1_500)).count();
            let counting = [(); 4].map(|()| threads.spawn(count));
            counting.map(|thread| thread.join().unwrap()).iter().sum()
        });
        assert_eq!(admitted, 1_500);
        assert!(take(&table, "b", 1_500));
    }

    #[test]
    fn inventing_keys_frees_nobody_locks_nobody_out_and_costs_no_more_memory() {
        let table = Table::new();
        while take(&table, "near its limit", 5) {}
        for invented in 0..3 * SETS * PLACES {
            assert!(take(&table, &format!("invented {invented}"), 5), "{invented}");
        }
        assert!(!take(&table, "near its limit", 5));
        assert!(take(&table, "somebody new", 5));
        assert!(table.sets.iter().all(|set| set.lock().unwrap().len() <= PLACES));
        assert_eq!(table.news.lock().unwrap().len(), NEWS_MAX);
    }

    #[test]
    fn old_keys_give_way_first() {
        let mut set = Vec::new();
        for hash in 0..PLACES as u64 {
            place(&mut set, hash, at(0)).window.take(9, at(0)).unwrap();
        }
        place(&mut set, 3, at(0)).window.take(9, at(0)).unwrap();
        for hash in [100, 101] {
            place(&mut set, hash, at(120)).window.take(9, at(120)).unwrap();
        }
        let left: Vec<u64> = set.iter().map(|entry| entry.hash).collect();
        assert_eq!(left[..2], [2, 3]);
        assert_eq!(left[14..], [100, 101]);
    }

    #[test]
    fn the_others_are_told_of_a_key_from_the_use_that_matters_on_until_they_know() {
        let table = Table::new();
        let allowed = Allowed { limit: 9, told_from: 2 };
        let used = || table.take(b"a", allowed, at(0), || [7; 16]).unwrap();
        used();
        assert!(table.news(at(0)).is_empty(), "one use is nobody else's business");
        used();
        used();
        let news = table.news(at(0));
        assert_eq!((news.len(), news[0].name, news[0].told[0].own), (1, [7; 16], 3));
        assert!(table.news(at(0)).is_empty(), "it is on its way");
        table.learn(&news[0], None);
        let news = table.news(at(0));
        assert_eq!(news.len(), 1, "nobody heard of it");
        used();
        table.learn(&news[0], Some(&[2, 0]));
        let news = table.news(at(0));
        assert_eq!(news[0].told[0].own, 4, "they know of three");
        table.learn(&news[0], Some(&[5]));
        assert!(table.news(at(0)).is_empty());
        assert!(table.take(b"a", allowed, at(0), || [7; 16]).is_err());
    }

    #[test]
    fn what_is_long_over_is_told_to_nobody() {
        let table = Table::new();
        assert!(take(&table, "a", 5));
        assert!(table.news(at(120)).is_empty());
        assert!(take(&table, "a", 5));
        assert_eq!(table.news(at(0)).len(), 1);
    }
}
