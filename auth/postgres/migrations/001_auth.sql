-- +goose Up

-- username_key is auth.EmailKey of the username: nobody may have the username
-- that is another's email, while a username may differ from another in case
-- alone, and be its owner's own email. No unique index says that; whoever adds
-- users holds the lock "users" (store.go) and looks first. Sign-ups then pass
-- one by one, each for the time of one round trip.
create table users (
    id             uuid primary key,
    email          text,
    email_key      text collate "C" unique,
    username       text collate "C" unique,
    username_key   text collate "C",
    name           text not null,
    roles          text[] not null,
    email_verified boolean not null,
    mfa            boolean not null,
    password       text not null,
    disabled       boolean not null,
    created_at     timestamptz not null
);

create index users_by_username_key on users (username_key);

create table sessions (
    id           uuid primary key,
    user_id      uuid not null references users on delete cascade,
    device       text not null,
    ip           text not null,
    created_at   timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at   timestamptz not null,
    ended_at     timestamptz,
    cookie       boolean not null,
    known_by     bytea,
    chain        bytea not null,
    generation   bigint not null,
    current      bytea not null,
    previous     bytea,
    salt         bytea,
    rotated_at   timestamptz not null,
    rotated_by   bytea
);

create index sessions_open on sessions (user_id, last_seen_at) where ended_at is null;
create index sessions_known_by on sessions (user_id, known_by);
create index sessions_expires on sessions (expires_at);
create index sessions_ended on sessions (ended_at) where ended_at is not null;

create table signing_keys (
    id         text collate "C" primary key,
    seed       bytea not null,
    created_at timestamptz not null,
    signs_from timestamptz not null
);

create table attempts (
    key      bytea primary key,
    failures bigint not null,
    last_at  timestamptz not null,
    until_at timestamptz not null
);

create index attempts_last on attempts (last_at);
