-- +goose Up
create table notes (
    id          blob not null primary key,
    owner       blob not null,
    title       text not null,
    tags        text not null,
    pinned      integer not null,
    status      text not null,
    reminder_at integer,
    version     integer not null,
    created_at  integer not null,
    updated_at  integer not null,
    body        text not null -- last: what stands behind it is read through it
) strict;

create index notes_updated on notes (owner, status, updated_at, id);
create index notes_created on notes (owner, status, created_at, id);
create index notes_title on notes (owner, status, title, id);
create index notes_pinned on notes (owner, status, updated_at, id) where pinned;

create table note_tags (
    owner blob not null,
    tag   text not null,
    note  blob not null references notes on delete cascade,
    primary key (owner, tag, note)
) strict, without rowid;

create index note_tags_note on note_tags (note);
