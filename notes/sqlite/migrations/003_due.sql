-- +goose Up
create index notes_due on notes (reminder_at)
    where reminder_at is not null and reminder_at is not reminded_at and status <> 'trashed';
