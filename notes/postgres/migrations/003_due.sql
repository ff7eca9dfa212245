-- +goose Up
-- By itself, because what alters the table keeps readers waiting until it is
-- done, and this takes as long as it takes to read all notes.
set local statement_timeout = 0;

create index notes_due on notes (reminder_at)
    where reminder_at is not null and reminder_at is distinct from reminded_at and status <> 'trashed';
