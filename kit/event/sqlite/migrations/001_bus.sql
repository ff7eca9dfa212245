-- +goose Up
create table sources (
    source   text primary key,
    position integer not null
) strict;

create table events (
    seq     integer primary key autoincrement,
    source  text not null,
    subject blob not null,
    event   text not null
) strict;

create index events_source on events (source, seq);

-- How far a group was given a source's events.
create table groups (
    name   text not null,
    source text not null,
    seq    integer not null,
    primary key (name, source)
) strict, without rowid;

-- What groups have in hand. A subject of a source belongs to one consumer
-- while there is any of it.
create table pending (
    id       integer primary key autoincrement,
    name     text not null,
    consumer text not null,
    given    integer not null, -- 0 while it waits in the consumer's inbox
    source   text not null,    -- of a replayed event ''
    subject  blob not null,
    seq      integer,          -- in events; of a replayed event null
    event    text,             -- of a replayed event
    attempts integer not null
) strict;

create index pending_consumer on pending (name, consumer, given);
create index pending_subject on pending (name, source, subject);
create index pending_seq on pending (source, name, seq);

create table consumers (
    name     text not null,
    consumer text not null,
    heard_at integer not null,
    primary key (name, consumer)
) strict, without rowid;

create table replayed (
    id      integer primary key autoincrement,
    name    text not null,
    subject blob not null,
    event   text not null
) strict;

create index replayed_name on replayed (name, id);

create table parked (
    name      text not null,
    id        text not null,
    event     text not null,
    reason    text not null,
    attempts  integer not null,
    parked_at integer not null,
    primary key (name, id)
) strict, without rowid;
