-- A mail that could not be delivered is a case until somebody closes it, and who asks to be forgotten is not even proved anything.

alter table correspondences
  add column open_cases int not null default 0,
  add check(wake_at is not null or guarded_wake_at is not null or open_cases = 0);  -- a case is said again

alter table mails
  add column case_closed_at timestamptz,
  add column case_closed_by text,                                     -- a person, address_replaced or erased
  add check(case_closed_at is null or state = 'undeliverable'),
  add check((case_closed_at is null) = (case_closed_by is null)),
  drop constraint mails_check,                                        -- a proof is never held back ...
  add constraint mails_proof_check check(class <> 'proof' or state <> 'suppressed' or reason = 'outdated.erased');  -- ... from anybody who is there
-- Those from before had no way to be closed: they were looked at by their date.
update mails set case_closed_at = greatest(act_by, closed_at), case_closed_by = 'by_date' where state = 'undeliverable';
