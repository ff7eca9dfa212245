-- +goose Up
create table kit_secrets (
    name   text primary key,
    secret blob not null
) strict;

create table kit_idempotency (
    key           blob primary key,
    id            blob not null,
    fingerprint   blob not null,
    claimed_until integer not null,
    expires_at    integer not null,
    answer        blob
) strict;

create index kit_idempotency_expires on kit_idempotency (expires_at);
