-- +goose Up
alter table notes
    add column editor uuid,            -- who wrote the text, if not the owner
    add column revised_at timestamptz, -- created_at, if null
    add column indexed bigint;         -- the version by which the note is found, if any

create table note_revisions (
    note       uuid not null references notes on delete cascade,
    rev        bigint not null,
    title      text not null,
    body       text not null,
    tags       text[] not null,
    editor     uuid, -- as in notes
    updated_at timestamptz not null,
    primary key (note, rev)
);

create index note_revisions_editor on note_revisions (editor) where editor is not null;
