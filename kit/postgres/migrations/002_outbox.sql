-- +goose Up
-- A row without a position is an event that is not yet published.
create table kit_outbox (
    seq          bigint generated always as identity primary key,
    id           uuid not null,
    type         text not null,
    subject      uuid not null,
    time         timestamptz not null,
    trace        text not null,
    data         text not null,
    position     bigint,
    published_at timestamptz
);

create index kit_outbox_unpublished on kit_outbox (seq) where position is null;
create index kit_outbox_published on kit_outbox (position) where position is not null;
create index kit_outbox_subject on kit_outbox (subject);

-- One row, locked by whoever publishes.
create table kit_outbox_position (
    position bigint not null
);

insert into kit_outbox_position values (0);
