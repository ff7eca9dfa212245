-- +goose Up
-- A row without a position is an event that is not yet published.
create table kit_outbox (
    seq          integer primary key autoincrement, -- no number twice: one pass may have read what another forgot
    id           blob not null,
    type         text not null,
    subject      blob not null,
    time         integer not null,
    trace        text not null,
    data         text not null,
    position     integer,
    published_at integer
) strict;

create index kit_outbox_unpublished on kit_outbox (seq) where position is null;
create index kit_outbox_published on kit_outbox (position) where position is not null;
create index kit_outbox_subject on kit_outbox (subject);

create table kit_outbox_position (
    position integer not null
) strict;

insert into kit_outbox_position values (0);
