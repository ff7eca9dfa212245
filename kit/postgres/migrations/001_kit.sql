-- +goose Up
create table kit_secrets (
    name   text primary key,
    secret bytea not null
);

create table kit_idempotency (
    key           bytea primary key,
    id            uuid not null,
    fingerprint   bytea not null,
    claimed_until timestamptz not null,
    expires_at    timestamptz not null,
    answer        bytea
);

create index kit_idempotency_expires on kit_idempotency (expires_at);
