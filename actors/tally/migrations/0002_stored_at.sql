-- When the message at the cursor was stored, in milliseconds since 1970, if that is known: another message in its place
-- shows that the log was put back to an older state.
alter table tally.cursor add column stored_at bigint;
