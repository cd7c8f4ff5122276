-- The newest version of every round, for questions that memory cannot answer. ROUNDS is the truth.
create table round.round (
    id       text   primary key,
    sequence bigint not null,
    body     jsonb  not null
);
