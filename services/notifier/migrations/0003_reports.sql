-- What became of mails to customers, for `offramp report` and for anybody's own queries: neither address nor text.
create view report_mails as
select m.mail_id, coalesce(m.closed_at, m.send_after) as at, m.template, m.class, m.locale, m.reason, m.tries,
  case when m.state = 'undeliverable' and m.reason in ('bounced', 'address_bounced') then 'bounced' else m.state end as outcome
from mails m where m.template <> 'alert';
