-- When that came about which a mail tells, and by when a confirmation was promised; of mails from before, nobody knows.

alter table mails
  add column since timestamptz,
  add column promised_by timestamptz,
  add check(promised_by is null or (since is not null and class = 'proof' and template <> 'alert'));
create index on mails(closed_at) where state = 'sent' and closed_at > promised_by;
