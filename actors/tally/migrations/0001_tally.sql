-- How far each round's log is counted, and where its accepted ballots went. One row a round.
create table tally.cursor (
    round      text    primary key,
    sequence   bigint  not null,
    accepted   bigint  not null,
    counted    bigint  not null,
    replaced   bigint  not null,
    unreadable bigint  not null,
    final      boolean not null,
    -- How often somebody put other counts in place of these: whoever still has the old ones in memory must read again.
    generation bigint  not null default 0,
    check (sequence >= 0 and accepted = counted + replaced)
);

-- Votes per option. Changed only together with the cursor.
create table tally.count (
    round  text   not null references tally.cursor on delete cascade,
    option text   not null,
    votes  bigint not null,
    primary key (round, option)
);
