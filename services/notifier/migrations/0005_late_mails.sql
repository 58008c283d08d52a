-- Whether a mail was sent later than promised; one that was promised to nobody, or before anybody kept that, never was.
create or replace view report_mails as
select m.mail_id, coalesce(m.closed_at, m.send_after) as at, m.template, m.class, m.locale, m.reason, m.tries,
  case when m.state = 'undeliverable' and m.reason in ('bounced', 'address_bounced') then 'bounced' else m.state end as outcome,
  coalesce(m.state = 'sent' and m.closed_at > m.promised_by, false) as late
from mails m where m.template <> 'alert';
