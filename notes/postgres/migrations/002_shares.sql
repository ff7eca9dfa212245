-- +goose Up
create table note_shares (
    id         uuid primary key,
    note       uuid not null references notes on delete cascade,
    person     uuid not null,
    name       text not null,
    login      text not null,
    role       text not null,
    created_at timestamptz not null,
    unique (note, person)
);

create index note_shares_person on note_shares (person, note);

-- What reminder_at was when the reminder was told of: a previous version that
-- sets another time arms it too.
alter table notes add column reminded_at timestamptz;
