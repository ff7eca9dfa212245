-- +goose Up
-- By itself, as 003 is.
set local statement_timeout = 0;

-- The feed: for each note that somebody can read, or could, the last that
-- became of it. Triggers keep it, so that nothing is missed that a previous
-- version of the service does meanwhile.
create sequence note_seq;

create table note_changes (
    reader     uuid not null,
    note       uuid not null,
    seq        bigint not null,
    gone       boolean not null,
    changed_at timestamptz not null,
    primary key (reader, note)
);

-- Up to where a reader's feed has been pruned.
create table note_changes_pruned (
    reader uuid primary key,
    seq    bigint not null
);

-- Whoever tells a reader of something has others wait until it is committed:
-- numbers are seen in their order. Readers share 1024 locks, as many as a server
-- can keep for one transaction, and all take theirs in one order.
-- +goose StatementBegin
create function note_lock(readers uuid[]) returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(x'6e6f7465'::int, lock) -- "note"
    from (select distinct hashtext(r::text) & 1023 from unnest(readers) r order by 1) locks (lock);
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function note_tell(readers uuid[], note uuid, gone boolean) returns void language plpgsql as $$
begin
    perform note_lock(readers);
    insert into note_changes as c select r, note, nextval('note_seq'), gone, now() from unnest(readers) r
    where not exists (select from erased_users where hash = sha256(uuid_send(r))) -- by then
    on conflict on constraint note_changes_pkey do update set seq = excluded.seq, gone = excluded.gone, changed_at = excluded.changed_at;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function note_told() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then -- before the shares go
        perform note_tell(array(select old.owner union select person from note_shares where note = old.id), old.id, true);
        return old;
    end if;
    perform note_tell(array(select new.owner union select person from note_shares where note = new.id), new.id, false);
    return null;
end $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function note_share_told() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        perform note_tell(array[old.person], old.note, true);
    else
        perform note_tell(array[new.person], new.note, false);
    end if;
    return null;
end $$;
-- +goose StatementEnd

create trigger note_made after insert on notes for each row execute function note_told();
create trigger note_altered after update on notes for each row when (old.version <> new.version) execute function note_told();
create trigger note_removed before delete on notes for each row execute function note_told();
create trigger note_share_altered after insert or update or delete on note_shares for each row execute function note_share_told();

insert into note_changes
    select reader, note, nextval('note_seq'), false, now()
    from (select owner as reader, id as note, updated_at from notes
        union all select s.person, s.note, n.updated_at from note_shares s join notes n on n.id = s.note order by 3) known;

create index note_changes_seq on note_changes (reader, seq);
create index note_changes_gone on note_changes (changed_at) where gone;
