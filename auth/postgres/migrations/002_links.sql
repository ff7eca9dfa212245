-- +goose Up

create table links (
    hash       bytea primary key,
    user_id    uuid not null references users on delete cascade,
    purpose    text collate "C" not null,
    email_key  text collate "C" not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);

create index links_of_user on links (user_id, purpose, created_at);
create index links_expires on links (expires_at);

create table link_requests (
    user_id  uuid not null references users on delete cascade,
    purpose  text collate "C" not null,
    requests bigint not null,
    last_at  timestamptz not null,
    until_at timestamptz not null,
    primary key (user_id, purpose)
);

-- What is left of an erased user's sessions, until their tokens have expired.
create table ended_sessions (
    id       uuid primary key,
    ended_at timestamptz not null
);

create index ended_sessions_ended on ended_sessions (ended_at);
