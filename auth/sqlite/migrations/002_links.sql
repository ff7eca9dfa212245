-- +goose Up

create table links (
    hash       blob primary key,
    user_id    blob not null references users on delete cascade,
    purpose    text not null,
    email_key  text not null,
    created_at integer not null,
    expires_at integer not null
) strict;

create index links_of_user on links (user_id, purpose, created_at);
create index links_expires on links (expires_at);

create table link_requests (
    user_id  blob not null references users on delete cascade,
    purpose  text not null,
    requests integer not null,
    last_at  integer not null,
    until_at integer not null,
    primary key (user_id, purpose)
) strict, without rowid;

-- What is left of an erased user's sessions, until their tokens have expired.
create table ended_sessions (
    id       blob primary key,
    ended_at integer not null
) strict;

create index ended_sessions_ended on ended_sessions (ended_at);
