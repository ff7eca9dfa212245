-- +goose Up
create table records (
    key      blob primary key,
    revision integer not null,
    due_at   integer,
    record   text not null -- JSON
) strict;

create index records_due on records (due_at) where due_at is not null;

create table record_tasks (
    task   blob primary key,
    record blob not null references records
) strict, without rowid;

create index record_tasks_record on record_tasks (record);

create table blobs (
    id   blob primary key,
    size integer not null
) strict;

create table blob_chunks (
    blob blob not null,
    n    integer not null,
    data blob not null,
    primary key (blob, n)
) strict;
