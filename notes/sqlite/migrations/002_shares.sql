-- +goose Up
create table note_shares (
    id         blob not null primary key,
    note       blob not null references notes on delete cascade,
    person     blob not null,
    name       text not null,
    login      text not null,
    role       text not null,
    created_at integer not null,
    unique (note, person)
) strict;

create index note_shares_person on note_shares (person, note);

-- What reminder_at was when the reminder was told of: a previous version that
-- sets another time arms it too.
alter table notes add column reminded_at integer;
