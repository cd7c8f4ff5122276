-- Who has an account. One row a person.
create table login.account (
    id            uuid        primary key,
    -- In lower case, so that one person has one.
    email         text        not null unique,
    name          text        not null,
    -- An argon2id hash with its parameters and its salt; never the password.
    password_hash text        not null,
    role          text        not null check (role in ('voter', 'organiser', 'admin')),
    created_at    timestamptz not null,
    -- Counts the changes: whoever changes something says which version they have seen.
    version       bigint      not null default 1
);

-- Pages of the list go by it.
create index account_by_age on login.account (created_at, id);

-- What was committed and is still to be said on the bus, in its order. Empty but for moments.
create table login.outbox (
    number  bigint generated always as identity primary key,
    account uuid   not null references login.account on delete cascade,
    -- Names the message on the bus, so that saying it twice is harmless.
    id      uuid   not null default gen_random_uuid(),
    subject text   not null,
    body    json   not null
);

create index outbox_by_account on login.outbox (account, number);
