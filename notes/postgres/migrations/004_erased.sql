-- +goose Up
-- Who is erased, by a hash of their id: nothing more of theirs is taken in.
create table erased_users (
    hash      bytea primary key,
    notes     bigint not null, -- that were removed, and shares
    shares    bigint not null,
    erased_at timestamptz      -- null until nothing was left
);
