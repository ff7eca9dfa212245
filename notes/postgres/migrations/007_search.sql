-- +goose Up
-- By itself, as 003 is.
set local statement_timeout = 0;

-- The words of notes, each behind its owner's scope: see search.Scope.
create table note_search (
    note  uuid primary key references notes on delete cascade,
    words tsvector not null
);

create index note_search_words on note_search using gin (words) with (gin_pending_list_limit = 256); -- kB: a search reads them all

create index notes_unindexed on notes (updated_at) where indexed is distinct from version;
create index notes_editor on notes (editor) where editor is not null;
