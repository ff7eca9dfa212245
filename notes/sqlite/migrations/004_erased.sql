-- +goose Up
-- Who is erased, by a hash of their id: nothing more of theirs is taken in.
create table erased_users (
    hash      blob primary key,
    notes     integer not null, -- that were removed, and shares
    shares    integer not null,
    erased_at integer           -- null until nothing was left
) strict, without rowid;
