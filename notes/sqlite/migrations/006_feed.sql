-- +goose Up
-- The feed: for each note that somebody can read, or could, the last that
-- became of it. Triggers keep it, so that nothing is missed that a previous
-- version of the service does meanwhile.
create table note_changes (
    seq        integer primary key autoincrement,
    reader     blob not null,
    note       blob not null,
    gone       integer not null,
    changed_at integer not null,
    unique (reader, note)
) strict;

create index note_changes_seq on note_changes (reader, seq);
create index note_changes_gone on note_changes (changed_at) where gone;

-- Up to where a reader's feed has been pruned.
create table note_changes_pruned (
    reader blob not null primary key,
    seq    integer not null
) strict, without rowid;

-- What is inserted behind a delete, because a statement that has on conflict
-- takes that from the trigger's.
-- +goose StatementBegin
create trigger note_made after insert on notes begin
    delete from note_changes where reader = new.owner and note = new.id;
    insert into note_changes (reader, note, gone, changed_at) values (new.owner, new.id, 0, unixepoch('subsec') * 1000000);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger note_altered after update on notes when old.version <> new.version begin
    delete from note_changes where note = new.id and reader in (select new.owner union all select person from note_shares where note = new.id);
    insert into note_changes (reader, note, gone, changed_at)
        select new.owner, new.id, 0, unixepoch('subsec') * 1000000
        union all select person, note, 0, unixepoch('subsec') * 1000000 from note_shares where note = new.id;
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger note_removed after delete on notes begin
    delete from note_changes where reader = old.owner and note = old.id;
    insert into note_changes (reader, note, gone, changed_at) values (old.owner, old.id, 1, unixepoch('subsec') * 1000000);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger note_share_made after insert on note_shares begin
    delete from note_changes where reader = new.person and note = new.note;
    insert into note_changes (reader, note, gone, changed_at) values (new.person, new.note, 0, unixepoch('subsec') * 1000000);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger note_share_altered after update on note_shares begin
    delete from note_changes where reader = new.person and note = new.note;
    insert into note_changes (reader, note, gone, changed_at) values (new.person, new.note, 0, unixepoch('subsec') * 1000000);
end;
-- +goose StatementEnd

-- +goose StatementBegin
create trigger note_share_removed after delete on note_shares begin
    delete from note_changes where reader = old.person and note = old.note;
    insert into note_changes (reader, note, gone, changed_at) values (old.person, old.note, 1, unixepoch('subsec') * 1000000);
end;
-- +goose StatementEnd

insert into note_changes (reader, note, gone, changed_at)
    select reader, note, 0, unixepoch('subsec') * 1000000
    from (select owner as reader, id as note, updated_at from notes
        union all select s.person, s.note, n.updated_at from note_shares s join notes n on n.id = s.note order by 3);
