-- +goose Up
alter table notes add column editor blob;        -- who wrote the text, if not the owner
alter table notes add column revised_at integer; -- created_at, if null

create table note_revisions (
    note       blob not null references notes on delete cascade,
    rev        integer not null,
    title      text not null,
    tags       text not null,
    editor     blob, -- as in notes
    updated_at integer not null,
    size       integer not null, -- bytes of the body
    body       text not null,
    primary key (note, rev)
) strict;

create index note_revisions_editor on note_revisions (editor) where editor is not null;
create index notes_editor on notes (editor) where editor is not null;
