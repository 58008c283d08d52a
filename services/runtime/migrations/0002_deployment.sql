-- Which deployment this is. Its consumer groups carry it, so that no second database reads from them; a restored backup is the same one.
create table deployment(only_row boolean primary key default true check(only_row), id uuid not null default gen_random_uuid());
insert into deployment default values;
