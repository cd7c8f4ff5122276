//! What `ps` tells of processes: who started whom, and what they hold in memory.

use std::process::Command;

/// The processes that `parent` has started.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    let listed = ps(&["-A", "-o", "pid=,ppid="]);
    let numbers = listed.lines().map(|line| line.split_whitespace().filter_map(|it| it.parse().ok()));
    numbers
        .filter_map(|mut numbers| {
            let (child, its_parent): (u32, u32) = (numbers.next()?, numbers.next()?);
            (its_parent == parent).then_some(child)
        })
        .collect()
}

/// The resident memory of a process in bytes; `None` when it is gone.
pub(crate) fn resident(process: u32) -> Option<u64> {
    let kibibytes: u64 = ps(&["-o", "rss=", "-p", &process.to_string()]).trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn ps(arguments: &[&str]) -> String {
    let told = Command::new("ps").args(arguments).output().expect("there is a program ps");
    String::from_utf8_lossy(&told.stdout).into_owned()
}
