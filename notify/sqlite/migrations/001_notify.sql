-- +goose Up
create table streams (
    user   blob not null primary key,
    epoch  text not null,
    seq    integer not null,           -- of the last entry
    kept   integer not null default 0, -- of the inbox
    unread integer not null default 0
) strict, without rowid;

-- The ids of entries are never used again, so that one that is missing shows.
create table entries (
    id     integer primary key autoincrement,
    user   blob not null,
    seq    integer not null,
    type   text not null,
    unread integer not null,
    data   text not null
) strict;

create unique index entries_seq on entries (user, seq);

create table notifications (
    user          blob not null,
    id            blob not null,
    seq           integer not null,
    category      text not null,
    collapse      text,
    read_at       integer,
    archived_at   integer,
    snoozed_until integer,
    created_at    integer not null,
    title         text not null,
    link          text not null,
    data          text not null,
    body          text not null,
    primary key (user, id)
) strict;

create unique index notifications_seq on notifications (user, seq);
create unique index notifications_collapse on notifications (user, collapse) where collapse is not null;
create index notifications_all on notifications (user, seq, category) where archived_at is null and snoozed_until is null;
create index notifications_unread on notifications (user, seq, category) where read_at is null and archived_at is null and snoozed_until is null;
create index notifications_archived on notifications (user, seq, category) where archived_at is not null and snoozed_until is null;
create index notifications_snoozed on notifications (user, seq, category) where snoozed_until is not null;

-- Counts are kept along: to count takes longer than all else.
-- +goose StatementBegin
create trigger notifications_come after insert on notifications
begin
    update streams set kept = kept + 1,
        unread = unread + (new.read_at is null and new.archived_at is null and new.snoozed_until is null)
    where user = new.user;
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger notifications_go after delete on notifications
begin
    update streams set kept = kept - 1,
        unread = unread - (old.read_at is null and old.archived_at is null and old.snoozed_until is null)
    where user = old.user;
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger notifications_change after update of read_at, archived_at, snoozed_until on notifications
begin
    update streams set unread = unread
        - (old.read_at is null and old.archived_at is null and old.snoozed_until is null)
        + (new.read_at is null and new.archived_at is null and new.snoozed_until is null)
    where user = new.user;
end;
-- +goose StatementEnd

create table dedupe (
    user  blob not null,
    key   blob not null, -- its hash
    until integer not null,
    primary key (user, key)
) strict, without rowid;

create index dedupe_until on dedupe (until);

create table deliveries (
    user         blob not null,
    id           blob not null,
    notification blob not null,
    channel      text not null,
    kind         text not null,
    state        text not null,
    reason       text not null,
    attempts     integer not null,
    next_at      integer not null,
    updated_at   integer not null,
    primary key (user, id)
) strict;

create index deliveries_notification on deliveries (user, notification, id);
create index deliveries_due on deliveries (next_at) where state = 'pending';
create index deliveries_settled on deliveries (updated_at) where state <> 'pending';

create table timers (
    key    text not null primary key,
    user   blob not null,
    at     integer not null,
    due    integer not null, -- at, or the end of the lease
    leased integer not null,
    data   blob not null
) strict;

create index timers_due on timers (due);
create index timers_user on timers (user);

create table tickets (
    hash    blob not null primary key,
    user    blob not null,
    session text not null,
    until   integer not null
) strict;

create index tickets_user on tickets (user);
create index tickets_until on tickets (until);

create table presence (
    user  blob not null primary key,
    until integer not null
) strict, without rowid;

create index presence_until on presence (until);

create table subscriptions (
    user       blob not null,
    id         text not null,
    endpoint   text not null unique,
    p256dh     text not null,
    auth       text not null,
    created_at integer not null,
    primary key (user, id)
) strict;

create table forgotten (
    user  blob not null primary key, -- the id's hash
    until integer not null
) strict, without rowid;

create index forgotten_until on forgotten (until);
