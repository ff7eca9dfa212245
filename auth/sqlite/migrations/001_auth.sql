-- +goose Up
-- Ids are the 16 bytes of a UUID, times are microseconds since 1970, UTC.

-- username_key is auth.EmailKey of the username: nobody may have the username
-- that is another's email, while a username may differ from another in case
-- alone, and be its owner's own email. No unique index says that; whoever adds
-- users looks first, in the transaction of the one writer that SQLite has.
create table users (
    id             blob primary key,
    email          text,
    email_key      text unique,
    username       text unique,
    username_key   text,
    name           text not null,
    roles          text not null, -- a JSON array
    email_verified integer not null,
    mfa            integer not null,
    password       text not null,
    disabled       integer not null,
    created_at     integer not null
) strict;

create index users_by_username_key on users (username_key);

create table sessions (
    id           blob primary key,
    user_id      blob not null references users on delete cascade,
    device       text not null,
    ip           text not null,
    created_at   integer not null,
    last_seen_at integer not null,
    expires_at   integer not null,
    ended_at     integer,
    cookie       integer not null,
    known_by     blob,
    chain        blob not null,
    generation   integer not null,
    current      blob not null,
    previous     blob,
    salt         blob,
    rotated_at   integer not null,
    rotated_by   blob
) strict;

create index sessions_open on sessions (user_id, last_seen_at) where ended_at is null;
create index sessions_known_by on sessions (user_id, known_by);
create index sessions_expires on sessions (expires_at);
create index sessions_ended on sessions (ended_at) where ended_at is not null;

create table signing_keys (
    id         text primary key,
    seed       blob not null,
    created_at integer not null,
    signs_from integer not null
) strict;

create table attempts (
    key      blob primary key,
    failures integer not null,
    last_at  integer not null,
    until_at integer not null
) strict;

create index attempts_last on attempts (last_at);
