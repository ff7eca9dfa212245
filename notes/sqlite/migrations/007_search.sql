-- +goose Up
alter table notes add column indexed integer; -- the version by which the note is found

-- The words of notes, each behind its owner's scope: see search.Scope.
create table note_words (
    note   blob not null references notes on delete cascade,
    word   text not null,
    weight integer not null,
    primary key (note, word)
) strict, without rowid;

create index note_words_word on note_words (word, weight);

create index notes_unindexed on notes (updated_at) where indexed is not version;
