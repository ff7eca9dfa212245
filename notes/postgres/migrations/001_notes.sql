-- +goose Up
create table notes (
    id          uuid primary key,
    owner       uuid not null,
    title       text collate "C" not null,
    body        text not null,
    tags        text[] not null,
    pinned      boolean not null,
    status      text not null,
    reminder_at timestamptz,
    version     bigint not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);

create index notes_updated on notes (owner, status, updated_at, id);
create index notes_created on notes (owner, status, created_at, id);
create index notes_title on notes (owner, status, title, id);
create index notes_pinned on notes (owner, status, updated_at, id) where pinned;

create table note_tags (
    owner uuid not null,
    tag   text collate "C" not null,
    note  uuid not null references notes on delete cascade,
    primary key (owner, tag, note)
);

create index note_tags_note on note_tags (note);
