-- name: healthy
-- in every service: an event that was applied, and one that was ignored
insert into inbox values('//test', 'evt_1', 'x', 'a.v1', 0, 0, now(), 'applied'), ('//test', 'evt_2', 'x', 'a.v1', 0, 1, now(), 'ignored');
insert into watermarks values('a.v1', 0, 2, now(), 1, 0, 0, 1, 0, 0);
insert into transitions values('sub_1', 1, '//test', 'evt_1', 'a', null, 's', '', now());

-- name: entities
-- one subscription that is paid, refunded in part, and written to
insert into lifecycle.subscriptions(subscription_id, version, state, customer_id, plan, price_minor, currency, wake_at, details)
  values('sub_1', 1, 'active', 'cus_1', 'pro', 100, 'EUR', now() + interval '1 day', '{"refund_acks": {}}');
insert into refunds.policies values(1, 'x', '{}', now());
insert into refunds.accounts values('sub_1', 1, 'DE', true, 1, now() + interval '1 day', null,
  '{"refunds": {"r": {"attempts": [{"waiting_for": null}]}}, "payments": {"pay_1": {"foreign": {"re_9": {"remind_at": "2026-03-02T10:00:00Z"}}}}}');
update refunds.accounts set open_cases = 1;
insert into refunds.payments values('pay_1', 'sub_1', 'pi_1', 'EUR', 1000, now(), 700, 100);
insert into refunds.foreign_refunds values('pay_1', 're_9', 'sub_1', 'EUR', 100, 'succeeded', now(), 'ops', now() + interval '1 day', now() + interval '1 day');
insert into refunds.refunds values('00000000-0000-0000-0000-000000000001', 'pay_1', 'EUR', 'sub_1', 'REF-1', 700, 'goodwill', 1, 1, 'a@b.c', 'en',
  'pending', now(), now(), null, now(), 'ops', now() + interval '1 day', now() + interval '9 days');
insert into refunds.refund_attempts values('00000000-0000-0000-0000-000000000001', 1, 'key_1', now(), 're_1', 'pending', null);
insert into notifier.correspondences values('sub_1', 1, now() + interval '1 day', null, 1, 0, '{}');
insert into notifier.mails(mail_id, subscription_id, entity_id, version, template, locale, address, context, recipient_hash, class, state, tries,
  send_after, due_by, message_id) values('00000000-0000-0000-0000-00000000000a', 'sub_1', 'sub_1', 1, 'ended', 'en', 'a@b.c', '{}', 'h', 'status',
  'queued', 0, now() + interval '1 day', now() + interval '2 days', '<1@x>');

-- name: counted_below_nothing
-- lifecycle
update watermarks set duplicate = -1;

-- name: parked_is_not_what_was_counted
-- lifecycle
update watermarks set parked = 1;

-- name: more_disposed_of_than_counted
-- lifecycle
update watermarks set applied = 0;

-- name: parked_in_one_place_only
-- lifecycle
update inbox set disposition = 'parked' where event_id = 'evt_2';

-- name: dead_without_a_letter
-- lifecycle
update inbox set disposition = 'dead' where event_id = 'evt_2';

-- name: two_dispositions
-- lifecycle
insert into dead_letters values('a.v1', 0, 1, 'sub_1', 'x', '[]', false, '//test', 'evt_2', 'rule_failed', 'poison', 'm', 1, now(), 'ops', now());

-- name: let_go_and_never_taken
-- lifecycle
update inbox set disposition = 'released' where event_id = 'evt_2';

-- name: applied_twice
-- refunds
insert into transitions values('sub_1', 2, '//test', 'evt_1', 'a', 's', 's', '', now()); update accounts set version = 2;

-- name: conflict_with_an_effect
-- lifecycle
insert into dead_letters values('a.v1', 0, 0, 'sub_1', 'x', '[]', false, '//test', 'evt_1', 'conflict', 'poison', 'm', 1, now(), 'ops', now());

-- name: versions_with_a_gap
-- notifier
update transitions set version = 2; update correspondences set version = 2;

-- name: version_without_its_transition
-- notifier
update correspondences set version = 2;

-- name: applied_without_a_transition
-- lifecycle
update inbox set disposition = 'applied' where event_id = 'evt_2'; update watermarks set applied = 2, ignored = 0;

-- name: effect_without_an_event
-- lifecycle
insert into transitions values('sub_1', 2, '//test', 'evt_2', 'a', 's', 's', '', now()); update subscriptions set version = 2;

-- name: case_of_nobody
-- lifecycle
insert into dead_letters values('b.v1', 0, 7, 'sub_1', 'x', '[]', false, '//test', 'evt_9', 'not_json', 'poison', 'm', 1, now(), 'ops', now()); update dead_letters set owner = '';

-- name: mail_of_nobody
-- notifier
update mails set state = 'undeliverable', send_after = null; update correspondences set open_mails = 0;

-- name: subscription_asleep
-- lifecycle
update subscriptions set wake_at = null;

-- name: dunning_asleep
-- lifecycle
update subscriptions set state = 'past_due';

-- name: refund_never_acknowledged
-- lifecycle
update subscriptions set refund_ack_due_at = now() + interval '1 hour', details = json_build_object('refund_acks', json_build_object('REF-9', json_build_object('requested_at', now() - interval '2 hours')));

-- name: refund_asleep
-- refunds
update refunds set deadline_at = null;

-- name: account_sleeps_too_long
-- refunds
update accounts set wake_at = now() + interval '2 days';

-- name: foreign_refund_asleep
-- refunds
update foreign_refunds set owner = '';

-- name: foreign_refund_not_counted
-- refunds
update accounts set open_cases = 0;

-- name: wish_never_answered
-- refunds
update accounts set details = details || '{"wishes": {"CAN-1": {"answer_at": "2026-03-02T10:05:00Z"}, "CAN-2": {"answer_at": null}}}';

-- name: question_that_nobody_asks
-- refunds
update accounts set details = '{"refunds": {"r": {"attempts": [{"waiting_for": "call_1"}]}}}';

-- name: mail_asleep
-- notifier
update mails set send_after = null;

-- name: correspondence_asleep
-- notifier
update correspondences set wake_at = null;

-- name: overdue
-- lifecycle
update subscriptions set wake_at = now() - interval '6 minutes';

-- name: fired_twice
-- lifecycle
insert into transitions values ('sub_1', 2, '//offramp/x/timer', 'sub_1:end:2026-01-01T00:00:00+00:00', 'timer end', 's', 's', '', now()), ('sub_1', 3, '//offramp/x/timer', 'sub_1:end:2026-01-01T00:00:00+00:00', 'timer end', 's', 's', '', now()); update subscriptions set version = 3;

-- name: fired_early
-- lifecycle
insert into transitions values ('sub_1', 2, '//offramp/x/timer', 'sub_1:end:2999-01-01T00:00:00+00:00', 'timer end', 's', 's', '', now()); update subscriptions set version = 2;

-- name: call_that_nobody_makes
-- refunds
insert into calls(idempotency_key, entity_id, kind, request, correlationid, asked_at, next_attempt_at)
  values('call_1', 'sub_1', 'k', '{}', 'evt_1', now(), now() - interval '6 minutes');

-- name: more_back_than_captured
-- refunds
update payments set captured_minor = 500;

-- name: another_currency
-- refunds
update refunds set currency = 'USD';

-- name: told_and_never_sent
-- lifecycle
insert into outbox(shard, id, topic, type, headers) values(3, gen_random_uuid(), 't', 'x', '[]');

-- name: two_mails_of_one_fact
-- notifier
insert into mails select * from mails; update mails set mail_id = gen_random_uuid(), message_id = mail_id::text; update correspondences set open_mails = 2;

-- name: two_mails_of_one_name
-- notifier
insert into mails select * from mails; update mails set template = mail_id::text || ctid::text; update correspondences set open_mails = 2;

-- name: two_open_attempts
-- refunds
insert into refund_attempts select refund_id, 2, 'key_2', first_sent_at, 're_2', raw_status, null from refund_attempts;

-- name: attempts_of_one_key
-- refunds
insert into refund_attempts select refund_id, 2, 'key_2', first_sent_at, 're_1', raw_status, now() from refund_attempts;

-- name: paid_by_no_attempt
-- refunds
update refund_attempts set provider_refund_id = null;
