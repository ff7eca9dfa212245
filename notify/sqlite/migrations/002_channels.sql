-- +goose Up
-- What is due is looked for by its channel.
create index deliveries_due_over on deliveries (channel, next_at) where state = 'pending';
drop index deliveries_due;
